package persist

import (
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
)

// busyFor is how long a statement waits for a lock that another connection of
// this process, or an operator's shell, holds.
const busyFor = 5 * time.Second

// openConn opens one connection; its statements may be used by one goroutine at a
// time.
func openConn(path string, flags sqlite.OpenFlags, pragmas ...string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busyFor)
	for _, pragma := range pragmas {
		if err := exec(c, "PRAGMA "+pragma); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// exec runs one statement to its end and ignores its rows.
func exec(c *sqlite.Conn, sql string, args ...int64) error {
	_, err := numbers(c, sql, 0, args...)
	return err
}

// numbers runs one statement that is not kept, and returns the columns of its
// first row, nil if there is none.
func numbers(c *sqlite.Conn, sql string, columns int, args ...int64) (row []int64, err error) {
	stmt, rest, err := c.PrepareTransient(sql)
	if err != nil {
		return nil, err
	}
	defer finalize(stmt)
	if rest != 0 {
		return nil, fmt.Errorf("persist: more than one statement: %q", sql)
	}
	for i, arg := range args {
		stmt.BindInt64(i+1, arg)
	}
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return row, err
		}
		if row == nil {
			for i := range columns {
				row = append(row, stmt.ColumnInt64(i))
			}
		}
	}
}

// run steps a kept statement that returns no rows and makes it ready for the next
// time.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err // Step has reset it
	}
	return stmt.Reset()
}

// row steps a kept statement that returns at most one row, has use look at it, and
// makes the statement ready for the next time.
func row(stmt *sqlite.Stmt, use func()) (found bool, err error) {
	found, err = stmt.Step()
	if err != nil {
		return false, err // Step has reset it
	}
	if found {
		use()
		if _, err := stmt.Step(); err != nil {
			return true, err
		}
	}
	return found, stmt.Reset()
}

// finalize lets go of a statement; what it returns is the error of the last Step.
func finalize(stmt *sqlite.Stmt) { _ = stmt.Finalize() }
