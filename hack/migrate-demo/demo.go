package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/migrate"
)

// faults are what somebody in a hurry does to a schema.
var faults = []string{
	"DROP INDEX idx_properties_status;",
	"ALTER TABLE properties ALTER COLUMN zip_code TYPE text;",
	"ALTER TABLE properties ALTER COLUMN status SET DEFAULT 'sold';",
	"ALTER TABLE properties DROP CONSTRAINT chk_occupancy_rate;",
	"ALTER TABLE properties DROP CONSTRAINT chk_sqft_positive, ADD CONSTRAINT chk_sqft_positive CHECK (total_sqft > 0) NOT VALID;",
	"ALTER TABLE properties DISABLE TRIGGER trg_properties_updated_at;",
	"ALTER TABLE properties ADD COLUMN note text;",
}

// demo runs the program against one database.
type demo struct {
	program, envFile, url string
	out                   io.Writer
}

// show fails when anything comes out otherwise than it should.
func (d *demo) show(ctx context.Context) error {
	d.title("An empty database")
	if err := d.run(ctx, 1, "migrate", "verify"); err != nil {
		return err
	}
	d.title("Migrated and verified; a second run finds nothing to do")
	for _, command := range []string{"status", "up", "up", "status", "verify"} {
		if err := d.run(ctx, 0, "migrate", command); err != nil {
			return err
		}
	}
	d.title("Broken by hand")
	if err := d.sql(ctx, faults); err != nil {
		return err
	}
	if err := d.run(ctx, 1, "migrate", "verify"); err != nil {
		return err
	}
	d.title("Repaired by the SQL that verify printed; the extra column does no harm")
	mend, err := d.mend(ctx)
	if err != nil {
		return err
	}
	if err := d.sql(ctx, mend); err != nil {
		return err
	}
	return d.run(ctx, 0, "migrate", "verify")
}

func (d *demo) title(text string) {
	fmt.Fprintf(d.out, "\n%s\n%s\n", text, strings.Repeat("=", len(text)))
}

// run executes the program, and fails if it does not exit with the code.
func (d *demo) run(ctx context.Context, code int, args ...string) error {
	fmt.Fprintf(d.out, "\n$ reims-health %s\n", strings.Join(args, " "))
	cmd := d.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	if err := d.wantCode(cmd, code); err != nil {
		return err
	}
	if code != 0 {
		fmt.Fprintf(d.out, "(exit code %d)\n", code)
	}
	return nil
}

func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.program, append(args, "--env-file", d.envFile)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // nothing of the caller's configuration
	return cmd
}

func (d *demo) wantCode(cmd *exec.Cmd, code int) error {
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		return fmt.Errorf("%s: exit code %d, want %d", strings.Join(cmd.Args, " "), got, code)
	}
	return nil
}

// mend returns the SQL of verify's report.
func (d *demo) mend(ctx context.Context) ([]string, error) {
	var out bytes.Buffer
	cmd := d.command(ctx, "migrate", "verify", "--output", "json")
	cmd.Stdout = &out
	if err := d.wantCode(cmd, 1); err != nil {
		return nil, err
	}
	var report migrate.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return nil, err
	}
	var mend []string
	for _, difference := range report.Drift(false) {
		mend = append(mend, difference.SQL...)
	}
	return mend, nil
}

// sql runs the statements one by one.
func (d *demo) sql(ctx context.Context, statements []string) error {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	fmt.Fprintln(d.out)
	for _, s := range statements {
		fmt.Fprintf(d.out, "reims=# %s\n", s)
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("run %q: %w", s, err)
		}
	}
	return nil
}
