package dialect

// dialects are all that there are, by name.
var dialects = []Dialect{
	{Name: "assemblyai", Post: true, Socket: true, New: newAssemblyAI},
	{Name: "aws-transcribe", Socket: true, New: newAWSTranscribe},
	{Name: "azure", Socket: true, New: newAzure},
	{Name: "contact-lens", Post: true, Socket: true, New: newContactLens},
	{Name: "deepgram", Socket: true, New: newDeepgram},
	{Name: "deepgram-flux", Socket: true, New: newDeepgramFlux},
	{Name: "gladia", Post: true, Socket: true, New: newGladia},
	{Name: "google", Socket: true, New: newGoogle},
	{Name: "soniox", Socket: true, New: newSoniox},
	{Name: "speechmatics", Socket: true, New: newSpeechmatics},
	{Name: "genesys-audiohook", Socket: true, New: newAudioHook},
	{Name: "genesys-notifications", Post: true, Socket: true, New: newGenesysNotifications},
	{Name: "openai-realtime", Socket: true, New: newOpenAI},
	{Name: "riva", Socket: true, New: newRiva},
	{Name: "vosk", Socket: true, New: newVosk},
	{Name: "whisper_streaming", Socket: true, New: newWhisperStreaming},
	{Name: "whisperlive", Socket: true, New: newWhisperLive},
	{Name: "whisperlivekit", Socket: true, New: newWhisperLiveKit},
}
