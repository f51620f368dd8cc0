package durable

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// layoutVersion is the version of a directory. An older one opens for ever, a
// newer one is refused. Version 1 had one stream of frames, which is now the
// first segment.
const layoutVersion = 2

var (
	// ErrHeld is returned by Open for a spool that another process holds, and
	// by Append and Read once another has taken an external one.
	ErrHeld = errors.New("the spool is held by another process")
	// ErrNewer is returned by Open for a directory that a newer version of
	// Steno has written.
	ErrNewer = errors.New("the spool's directory was written by a newer version")
	// ErrKey is returned by Open where the key does not fit the directory.
	ErrKey = errors.New("the spool's key is not the one its directory was written with")
)

// directory is the place of an embedded store:
//
//	lock      held for as long as the spool is open; says by which process
//	VERSION   the layout's version, and what proves the key
//	jetstream what JetStream writes
type directory struct {
	path    string
	lock    *os.File
	used    bool // the streams were made: where they are missing now, the store is damaged
	letters bool // so was the stream of dead letters, which older versions do not have
	old     bool // VERSION names an older layout
}

// openDirectory takes the directory for this process alone.
func openDirectory(path, key, cipher string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool's directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the spool's lock: %w", err)
	}
	if err := flock(lock); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(lock, 64))
		lock.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock the spool's directory %s: %w", path, err)
		}
		return nil, fmt.Errorf("%w: %s, by process %s", ErrHeld, path, orUnknown(strings.TrimSpace(string(holder))))
	}
	d := &directory{path: path, lock: lock}
	if err := d.claim(key, cipher); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

func orUnknown(pid string) string {
	if pid == "" {
		return "unknown"
	}
	return pid
}

// claim writes the process id, narrows the modes and checks the version.
func (d *directory) claim(key, cipher string) error {
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write the spool's lock: %w", err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write the spool's lock: %w", err)
	}
	if err := os.Chmod(d.path, 0o700); err != nil {
		return fmt.Errorf("narrow the mode of the spool's directory: %w", err)
	}
	written, err := os.ReadFile(filepath.Join(d.path, "VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return d.found(key, cipher)
	}
	if err != nil {
		return fmt.Errorf("read the spool's version: %w", err)
	}
	return d.check(written, key, cipher)
}

// found writes a new directory's VERSION. What lies there without one was not
// ours, or is what a crash left of a first opening that acknowledged nothing:
// the file is there before the streams are.
func (d *directory) found(key, cipher string) error {
	if _, err := os.Stat(filepath.Join(d.path, "jetstream")); err == nil {
		return fmt.Errorf("%s holds a store but no VERSION file: it is damaged, or not a spool", d.path)
	}
	return d.write(fmt.Sprintf("%d\n%s", layoutVersion, proof(key, cipher)))
}

func (d *directory) check(written []byte, key, cipher string) error {
	lines := bufio.NewScanner(bytes.NewReader(written))
	lines.Scan()
	version, err := strconv.Atoi(lines.Text())
	if err != nil {
		return fmt.Errorf("the spool's VERSION file begins with %q, want a number", lines.Text())
	}
	if version > layoutVersion {
		return fmt.Errorf("%w: %s has version %d, this program knows up to %d", ErrNewer, d.path, version, layoutVersion)
	}
	d.old = version < layoutVersion
	encrypted := false
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "used":
			d.used = true
		case "letters":
			d.letters = true
		case "key":
			encrypted = true
			if err := prove(value, key, cipher); err != nil {
				return fmt.Errorf("%w: %s", err, d.path)
			}
		}
	}
	if key != "" && !encrypted {
		return fmt.Errorf("%w: %s is not encrypted, and a key was given; drain it and begin a new one", ErrKey, d.path)
	}
	return nil
}

// proof is a line that lets check tell a wrong key from a damaged store. It
// gives the key away no more than the store itself does.
func proof(key, cipher string) string {
	if key == "" {
		return ""
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return fmt.Sprintf("key %s %x %x\n", cipher, salt, derived(key, salt))
}

func prove(value, key, cipher string) error {
	fields := strings.Fields(value)
	if len(fields) != 3 {
		return fmt.Errorf("the spool's VERSION file has a damaged key line")
	}
	if key == "" {
		return fmt.Errorf("%w: it is encrypted, and no key was given", ErrKey)
	}
	salt, err := hex.DecodeString(fields[1])
	if err != nil {
		return fmt.Errorf("the spool's VERSION file has a damaged key line: %w", err)
	}
	if want := fmt.Sprintf("%x", derived(key, salt)); subtle.ConstantTimeCompare([]byte(fields[2]), []byte(want)) != 1 {
		return ErrKey
	}
	if fields[0] != cipher {
		return fmt.Errorf("%w: its cipher is %s, not %s", ErrKey, fields[0], cipher)
	}
	return nil
}

func derived(key string, salt []byte) []byte {
	b, err := hkdf.Key(sha256.New, []byte(key), salt, "steno spool key check", 16)
	if err != nil {
		panic("BUG: sixteen bytes are too many for hkdf: " + err.Error())
	}
	return b
}

// markUsed notes that the streams exist, and in which layout they go on.
func (d *directory) markUsed() error {
	if d.used && d.letters && !d.old {
		return nil
	}
	written, err := os.ReadFile(filepath.Join(d.path, "VERSION"))
	if err != nil {
		return fmt.Errorf("read the spool's version: %w", err)
	}
	_, rest, _ := strings.Cut(string(written), "\n")
	if !d.used {
		rest += "used\n"
	}
	if !d.letters {
		rest += "letters\n"
	}
	d.used, d.letters, d.old = true, true, false
	return d.write(fmt.Sprintf("%d\n%s", layoutVersion, rest))
}

// write replaces VERSION.
func (d *directory) write(text string) error {
	if err := replaceFile(filepath.Join(d.path, "VERSION"), []byte(text)); err != nil {
		return fmt.Errorf("write the spool's version: %w", err)
	}
	return nil
}

// replaceFile is safe against a power cut: the file is the old one or the new
// one.
func replaceFile(path string, content []byte) error {
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(next, path)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	return err
}

func syncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// streams is where JetStream keeps its streams.
func (d *directory) streams() string { return streamsIn(filepath.Join(d.path, "jetstream")) }

func streamsIn(store string) string { return filepath.Join(store, "$G", "streams") }

// segments yields the directories of segments, and whether the stream is
// described.
func (d *directory) segments() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		found, _ := os.ReadDir(d.streams()) // in a new spool it is not there
		for _, entry := range found {
			if _, ok := parseSegment(entry.Name()); !ok {
				continue
			}
			if !yield(entry.Name(), isDescribed(filepath.Join(d.streams(), entry.Name()))) {
				return
			}
		}
	}
}

// release lets the next process have the directory. The file stays: removing
// it would let two hold it.
func (d *directory) release() error {
	return errors.Join(d.lock.Truncate(0), d.lock.Close())
}
