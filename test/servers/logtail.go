package servers

import (
	"io"
	"os"
)

// tailSize is what LogTail returns at most, in bytes.
const tailSize = 4 << 10

// LogTail returns the end of the server's log, or why it can't be read.
func (p *Process) LogTail() string {
	f, err := os.Open(p.Log())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailSize {
		if _, err := f.Seek(-tailSize, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	tail, err := io.ReadAll(io.LimitReader(f, tailSize))
	if err != nil {
		return err.Error()
	}
	return string(tail)
}
