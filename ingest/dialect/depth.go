package dialect

// Deeper says whether the values of a JSON text nest deeper than most. Parsers
// recurse, so a megabyte of "[" would cost them hundreds of megabytes of stack:
// whoever takes frames from outside asks this first.
func Deeper[Text string | []byte](frame Text, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
