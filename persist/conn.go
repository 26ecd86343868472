package persist

import (
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
)

// busyFor is how long a statement waits for a lock that another connection of
// this process, or an operator's shell, holds.
const busyFor = 5 * time.Second

// openConn opens one connection; one goroutine may use it at a time.
func openConn(path string, flags sqlite.OpenFlags, pragmas ...string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busyFor)
	for _, pragma := range pragmas {
		if err := exec(c, "PRAGMA "+pragma); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// exec runs one statement to its end and ignores its rows.
func exec(c *sqlite.Conn, sql string, args ...int64) error {
	_, err := numbers(c, sql, 0, args...)
	return err
}

// numbers runs one statement that is not kept, and returns the first columns of
// its first row, nil if there is none.
func numbers(c *sqlite.Conn, sql string, columns int, args ...int64) (first []int64, err error) {
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
			return first, err
		}
		for i := len(first); i < columns; i++ {
			first = append(first, stmt.ColumnInt64(i))
		}
	}
}

// finalize lets go of a statement; what it returns is the error of the last Step.
func finalize(stmt *sqlite.Stmt) { _ = stmt.Finalize() }

// kept is a statement to prepare once and run often.
type kept struct {
	stmt **sqlite.Stmt
	sql  string
}

func prepare(c *sqlite.Conn, all []kept) (err error) {
	for _, k := range all {
		if *k.stmt, err = c.Prepare(k.sql); err != nil {
			return err
		}
	}
	return nil
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
	}
	return found, stmt.Reset()
}

// rows steps a kept statement, has use look at each row until it returns false,
// and makes the statement ready for the next time.
func rows(stmt *sqlite.Stmt, use func() (more bool)) error {
	for {
		found, err := stmt.Step()
		if err != nil {
			return err // Step has reset it
		}
		if !found || !use() {
			return stmt.Reset()
		}
	}
}

// transaction brackets what a connection does. One goroutine.
type transaction struct {
	conn             *sqlite.Conn
	begin, end, undo *sqlite.Stmt
}

// prepare makes the brackets. Writers say BEGIN IMMEDIATE: a deferred
// transaction that has read fails to write with BUSY_SNAPSHOT if somebody else
// wrote meanwhile.
func (t *transaction) prepare(c *sqlite.Conn, begin string) error {
	t.conn = c
	return prepare(c, []kept{{&t.begin, begin}, {&t.end, "COMMIT"}, {&t.undo, "ROLLBACK"}})
}

// do runs use in a transaction. After an error nothing of it is stored.
func (t *transaction) do(use func() error) error {
	if err := run(t.begin); err != nil {
		return fmt.Errorf("persist: begin: %w", err)
	}
	err := use()
	if err == nil {
		if err = run(t.end); err != nil {
			err = fmt.Errorf("persist: commit: %w", err)
		}
	}
	// SQLITE_FULL, IOERR and some more have rolled back already (sqlite.org/lang_transaction.html).
	if err != nil && !t.conn.AutocommitEnabled() {
		err = errors.Join(err, run(t.undo))
	}
	return err
}
