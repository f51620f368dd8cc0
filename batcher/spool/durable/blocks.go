package durable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// JetStream checks a message when it is asked for it. Before that it makes room
// for every sequence up to the highest in a file, and believes the file: one
// flipped bit in a sequence takes all the memory there is at each opening, or
// has it throw away what lies behind. So its files are looked at first. Within
// one, sequences go up:
//
//	G1  between n-1 and n+1 is n
//	G2  none is more than maxLeap above the one before it, but the next
//
// What else may be wrong with a message that is mended so JetStream finds out:
// the checksum covers the sequence.

// maxLeap is far more messages than a file of 8 MB ever had, those that are gone
// included.
const maxLeap = 1 << 24

// blockHead is what of a message in a file is read: four bytes of length, whose
// highest bit says something else, and eight of the sequence, whose two highest
// bits mark what is gone.
const (
	blockExt    = ".blk"
	blockHead   = 12
	blockRecord = 22 + 8 // the shortest message
	blockLength = 1<<31 - 1
	blockGone   = 3 << 62
)

// mendBlocks mends every file below dir that JetStream keeps messages in, and
// tells log of each message that it has mended. An encrypted one it could not
// read.
func mendBlocks(ctx context.Context, dir string, log *bridge) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != blockExt {
			return err
		}
		return mendBlock(path, log)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a new spool has none
		return fmt.Errorf("look at the files of the spool's store: %w", err)
	}
	return nil
}

func mendBlock(path string, log *bridge) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	all, _, err := messagesIn(f)
	if err != nil {
		return err
	}
	mended := false
	for i := 1; i < len(all); i++ {
		this, want := &all[i], all[i-1].seq+1
		between := i+1 < len(all) && all[i+1].seq == want+1           // G1
		if this.seq == want || !between && this.seq <= want+maxLeap { // G2
			continue
		}
		log.Errorf("%s has at %d the sequence %d, which is taken for %d", path, this.at, this.seq, want)
		if _, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, want), this.at+4); err != nil {
			return err
		}
		this.seq, mended = want, true
	}
	if mended {
		err = f.Sync()
	}
	return err
}

// messageIn says where in a file a message is.
type messageIn struct {
	at  int64
	seq uint64
}

// messagesIn are those that are not marked as gone, up to the first that cannot
// be one: JetStream reads no further either. The rest is so many bytes.
func messagesIn(f *os.File) (all []messageIn, rest int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	var head [blockHead]byte
	at := int64(0)
	for at+blockRecord <= info.Size() {
		if _, err := f.ReadAt(head[:], at); err != nil {
			return nil, 0, err
		}
		length, seq := int64(binary.LittleEndian.Uint32(head[:])&blockLength), binary.LittleEndian.Uint64(head[4:])
		if length < blockRecord || at+length > info.Size() {
			break
		}
		if seq&blockGone == 0 {
			all = append(all, messageIn{at, seq})
		}
		at += length
	}
	return all, info.Size() - at, nil
}
