package load

import (
	"os"
	"runtime"
	"testing"
)

func TestProcessKnowsItself(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	p := Attach(os.Getpid(), "")
	if kib := p.memory(); kib < 1000 || p.peak() < kib {
		t.Errorf("memory is %d KiB and %d at most, want some", kib, p.peak())
	}
	before := p.cpu()
	for n := 0; p.cpu() == before; n++ { // spends what it waits for
	}
	var nobody *Process
	if nobody.memory() != 0 || nobody.cpu() != 0 || nobody.runtime(t.Context()) != nil || nobody.Stop() != nil {
		t.Error("a load without a process has measured one")
	}
}
