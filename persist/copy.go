package persist

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A copy is a run of pieces, each with a head of 8 bytes, big endian: the length of
// what follows, and its CRC-32C. What follows is a piece in the encoding of
// encoding/gob, which passes over fields that one side does not know. The first piece
// has a begin, the last one an end.
const (
	copyHead   = 8
	pieceBytes = 1 << 20  // a full piece
	pieceMost  = 64 << 20 // no piece is longer
	pieceRows  = 10_000
)

// copyFormat changes when an older version must not read a copy.
const copyFormat = 1

var errTorn = errors.New("the copy is damaged or ends early")

// piece is a part of a copy.
type piece struct {
	Begin    *copyBegin
	Rooms    []copiedRoom
	Messages []copiedMessage
	End      *copyEnd
}

// copyBegin is the state of one moment, but for rooms and messages.
type copyBegin struct {
	Format int
	Last   int64 // n of the last message
	Epochs []uint64
	Places []copiedPlace
}

// copyEnd tells what must have come.
type copyEnd struct{ Rooms, Messages int64 }

// The rows of the tables; schema.go tells about the columns. What the retainer notes
// is left out: where the copy is opened, it starts anew.
type (
	copiedPlace struct {
		Partition, Epoch, N, Last, Floor int64
	}
	copiedRoom struct {
		ID   int64
		Name string
	}
	copiedMessage struct {
		N, Room, Epoch, Seq, Hash, Time, Entry, EntryEpoch, Behind int64

		ID, User, Name, Text string
		Gone                 bool // a tombstone
	}
)

// copyWriter writes pieces.
type copyWriter struct {
	w   io.Writer
	buf bytes.Buffer
}

func (c *copyWriter) write(p *piece) error {
	c.buf.Reset()
	c.buf.Write(make([]byte, copyHead))
	if err := gob.NewEncoder(&c.buf).Encode(p); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	b := c.buf.Bytes()
	if len(b)-copyHead > pieceMost {
		return fmt.Errorf("a piece has %d bytes", len(b))
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-copyHead))
	binary.BigEndian.PutUint32(b[4:], sum(b[copyHead:]))
	_, err := c.w.Write(b)
	return err
}

// copyReader reads pieces.
type copyReader struct {
	r   io.Reader
	buf []byte
}

func (c *copyReader) read(p *piece) error {
	var head [copyHead]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return torn(err)
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size > pieceMost {
		return errTorn
	}
	if cap(c.buf) < size {
		c.buf = make([]byte, size)
	}
	c.buf = c.buf[:size]
	if _, err := io.ReadFull(c.r, c.buf); err != nil {
		return torn(err)
	}
	if sum(c.buf) != binary.BigEndian.Uint32(head[4:]) {
		return errTorn
	}
	if err := gob.NewDecoder(bytes.NewReader(c.buf)).Decode(p); err != nil {
		return fmt.Errorf("%w: %w", errTorn, err)
	}
	return nil
}

// torn says what the end of a stream means before the end of a copy.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return fmt.Errorf("read the copy: %w", err)
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
