package cluster

// Untoken is untoken, for the outer tests.
func Untoken(token string) (string, error) { return untoken(token) }
