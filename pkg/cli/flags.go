package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// parseDuration reads a duration as every flag takes it: 30s, 1m30s or, as a bare number, 30
// for seconds.
func parseDuration(text string) (time.Duration, error) {
	full := text
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		full += "s"
	}
	d, err := time.ParseDuration(full)
	if err != nil {
		return 0, errors.New("want a duration, such as 30s or 1m30s; a bare number is seconds")
	}
	return d, nil
}

// duration is a flag's value that [parseDuration] reads.
type duration time.Duration

// newDuration adds a flag with that value to flags, and returns where its value is.
func newDuration(flags *pflag.FlagSet, name string, value time.Duration, usage string) *time.Duration {
	d := duration(value)
	flags.Var(&d, name, usage)
	return (*time.Duration)(&d)
}

// Set implements [pflag.Value].
func (d *duration) Set(text string) error {
	value, err := parseDuration(text)
	if err == nil {
		*d = duration(value)
	}
	return err
}

// String implements [pflag.Value]. The help shows no default for 0.
func (d *duration) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

// Type implements [pflag.Value].
func (d *duration) Type() string { return "duration" }

// commandArgs refuses every argument. Of a command with subcommands it is one that does not
// exist, most likely misspelt.
func commandArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasAvailableSubCommands():
		return fmt.Errorf("unknown command %q for %q: it takes no arguments", args[0], cmd.CommandPath())
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(cmd *cobra.Command, name string) error {
	next := cmd.CommandPath() + " --help lists the commands"
	if likely := likelyCommands(cmd, name); len(likely) > 0 {
		next = "did you mean " + strings.Join(likely, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q: %s", name, cmd.CommandPath(), next)
}

// likelyCommands are the subcommands that a name may be meant for or, if there is none, those
// below them.
func likelyCommands(cmd *cobra.Command, name string) []string {
	const far = 2
	cmd.SuggestionsMinimumDistance = far
	likely := cmd.SuggestionsFor(name)
	if len(likely) > 0 {
		return likely
	}
	for _, sub := range cmd.Commands() {
		sub.SuggestionsMinimumDistance = far
		for _, below := range sub.SuggestionsFor(name) {
			likely = append(likely, sub.Name()+" "+below)
		}
	}
	return likely
}

// flagError adds to the error for a flag that does not exist the one that it may have been
// meant for.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	const far = 3
	best, nearest := "", far
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := levenshtein.ComputeDistance(unknown.GetSpecifiedName(), f.Name); d < nearest && !f.Hidden {
			best, nearest = f.Name, d
		}
	})
	if best == "" {
		return fmt.Errorf("%w: %s --help lists the flags", err, cmd.CommandPath())
	}
	return fmt.Errorf("%w: did you mean --%s?", err, best)
}

// newHelp is the help command. The library's own takes a misspelt name for none.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		Example: "  reims-health help check\n" +
			"  reims-health help migrate up",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return &usageError{err.Error()}
			case len(rest) > 0:
				return &usageError{unknownCommand(about, rest[0]).Error()}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range about.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), typed) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// addCompletion adds the library's command of that name, with examples, and has it refuse what
// is no shell.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Args = commandArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.Example = "  source <(reims-health completion bash)\n" +
			"  reims-health completion zsh > \"${fpath[1]}/_reims-health\""
		for _, shell := range cmd.Commands() {
			shell.Args = commandArgs
			shell.Example = "  reims-health completion " + shell.Name()
		}
	}
}

// complete tells the shell what a flag's value can be. Without values it is neither of a
// list nor a file.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// An error would say that there is no such flag, or that it has values already, which a
	// test of all flags finds.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFile tells the shell that a flag's value is a file.
func completeFile(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
	}
}

// completeList is [complete] for a flag that takes several values with commas between.
func completeList(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		given := typed[:strings.LastIndex(typed, ",")+1]
		var all []string
		for _, value := range values {
			if !slices.Contains(strings.Split(given, ","), value) {
				all = append(all, given+value)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}
