package dialect

// dialects are all that there are, by name.
var dialects = []Dialect{
	{Name: "vosk", Socket: true, New: newVosk},
}
