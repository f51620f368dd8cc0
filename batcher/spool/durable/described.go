package durable

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/minio/highwayhash"
)

// JetStream describes a stream in one file and keeps that one's checksum in
// another, and writes them one after the other. What ends between the two leaves
// a stream of which JetStream takes no notice. Each roll and each packing
// writes them anew, so it is looked at before the server starts:
//
//	M1  a description whose checksum is that of the text before a change that
//	    we make is whole, and gets its own
//	M2  an encrypted one gets it too: it is authenticated when it is decrypted
//	M3  a segment without a checksum and without messages was not yet there
//
// Any other description whose checksum is not its own is damaged.

const (
	descriptionFile = "meta.inf"
	checksumFile    = "meta.sum"
)

// ourChanges are what we change in a description: what stands there, and what
// stood there before.
var ourChanges = [][2]string{
	{`"max_bytes":-1,`, fmt.Sprintf(`"max_bytes":%d,`, smallFiles)}, // makeStream
	{`,"` + whole + `":"yes"`, ""},                                  // seal
}

// mendDescriptions gives the descriptions of the streams below dir their
// checksums by M1 and M2.
func mendDescriptions(ctx context.Context, dir string, encrypted bool, log *bridge) error {
	streams, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) { // a new spool has none
		return nil
	}
	for _, stream := range streams {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil && stream.IsDir() {
			err = mendDescription(filepath.Join(dir, stream.Name()), encrypted, log)
		}
	}
	if err != nil {
		return fmt.Errorf("look at the descriptions of the spool's streams: %w", err)
	}
	return nil
}

// mendDescription does it for the stream in dir, which is named as it is.
func mendDescription(dir string, encrypted bool, log *bridge) error {
	text, err := os.ReadFile(filepath.Join(dir, descriptionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, checksumFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // M3, or damage
	}
	if err != nil {
		return err
	}
	name := filepath.Base(dir)
	own := checksum(name, text)
	if string(sum) == own || !encrypted && !changedByUs(name, text, string(sum)) {
		return nil
	}
	log.Warnf("the description of the stream %s was written and its checksum was not: it gets it now", name)
	return replaceFile(filepath.Join(dir, checksumFile), []byte(own))
}

// changedByUs says whether sum is that of text before one of our changes.
func changedByUs(name string, text []byte, sum string) bool {
	for _, c := range ourChanges {
		if bytes.Count(text, []byte(c[0])) == 1 && checksum(name, bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1)) == sum {
			return true
		}
	}
	return false
}

// checksum is JetStream's of the text that describes the stream name.
func checksum(name string, text []byte) string {
	key := sha256.Sum256([]byte(name))
	sum := highwayhash.Sum64(text, key[:])
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, sum))
}

// isDescribed says whether JetStream's description of the stream in dir is
// there. A damaged one is, too.
func isDescribed(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, descriptionFile)); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, checksumFile)); err == nil {
		return true
	}
	return hasMessages(dir) // M3
}

// hasMessages says whether there are messages in a file below dir, or may be:
// one that is encrypted or damaged is all rest. But one that has room for a
// single mark of what is gone, which is what JetStream begins a segment with,
// has none, whatever the mark looks like: a frame alone is longer.
func hasMessages(dir string) bool {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != blockExt {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() <= blockRecord {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if all, rest, err := messagesIn(f); err != nil || len(all) > 0 || rest > 0 {
			return errors.Join(err, fs.ErrExist)
		}
		return nil
	}) != nil
}
