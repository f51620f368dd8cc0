package main

import (
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/steno/sfclient/orgsim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"steno": main})
}

// TestScripts plays what people type: testdata/script, each against a simulated
// org of its own, whose address is $ORG.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			org := httptest.NewServer(orgsim.New(orgsim.Config{ClientID: "id", ClientSecret: "hush", CallCenter: "center", Cert: "cert"}))
			env.Defer(org.Close)
			env.Vars = append(env.Vars, "ORG="+org.URL, "STENO_SF_LOGIN_URL="+org.URL, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush",
				"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_LISTEN=127.0.0.1:0", "STENO_ADMIN_LISTEN=127.0.0.1:0")
			return nil
		},
	})
}
