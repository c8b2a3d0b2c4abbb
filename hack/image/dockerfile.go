package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// rootfsCopy returns the one way in which a stage of the Dockerfile gets files: those that
// the build stage wrote with hack/image/stage.
func rootfsCopy(stage string) string {
	if stage == "" {
		return "COPY --from=build /rootfs /"
	}
	return "COPY --from=build /rootfs-" + stage + " /"
}

// readDockerfile returns the configuration that a stage of a Dockerfile gives its image,
// so that the Dockerfile alone says it. Without a name it is the last stage. An
// instruction that it can't follow is an error: it could make the two images differ.
func readDockerfile(file, name string, arguments map[string]string) (v1.Config, error) {
	stage, err := readStage(file, name)
	if err != nil {
		return v1.Config{}, fmt.Errorf("read %s: %w", file, err)
	}
	which := "the last stage"
	if name != "" {
		which = "the stage " + name
	}
	if stage.BaseName != "scratch" {
		return v1.Config{}, fmt.Errorf("read %s: %s is from %s, want scratch: there is no registry to take another from", file, which, stage.BaseName)
	}
	s := stageReader{arguments: arguments, known: map[string]string{}, lex: shell.NewLex('\\'), copy: rootfsCopy(name)}
	for _, command := range stage.Commands {
		if err := s.read(command); err != nil {
			return v1.Config{}, fmt.Errorf("read %s: %s: %w", file, command, err)
		}
	}
	if s.copies != 1 {
		return v1.Config{}, fmt.Errorf("read %s: %s must have once: %s", file, which, s.copy)
	}
	return s.config, nil
}

func readStage(file, name string) (instructions.Stage, error) {
	f, err := os.Open(file)
	if err != nil {
		return instructions.Stage{}, err
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		return instructions.Stage{}, err
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return instructions.Stage{}, err
	}
	if len(stages) == 0 {
		return instructions.Stage{}, errors.New("it has no stage")
	}
	if name == "" {
		return stages[len(stages)-1], nil
	}
	at, ok := instructions.HasStage(stages, name)
	if !ok {
		return instructions.Stage{}, fmt.Errorf("it has no stage %s", name)
	}
	return stages[at], nil
}

// stageReader follows the instructions of a stage.
type stageReader struct {
	arguments map[string]string // of the build
	known     map[string]string // as declared by ARG so far
	lex       *shell.Lex
	copy      string // the one COPY that is understood
	config    v1.Config
	copies    int
}

func (s *stageReader) read(command instructions.Command) error {
	if c, ok := command.(instructions.SupportsSingleWordExpansion); ok {
		if err := c.Expand(s.expand); err != nil {
			return err
		}
	}
	switch c := command.(type) {
	case *instructions.ArgCommand:
		s.declare(c)
	case *instructions.LabelCommand:
		if s.config.Labels == nil {
			s.config.Labels = map[string]string{}
		}
		for _, l := range c.Labels {
			s.config.Labels[l.Key] = l.Value
		}
	case *instructions.EnvCommand:
		for _, e := range c.Env {
			s.config.Env = append(s.config.Env, e.Key+"="+e.Value)
		}
	case *instructions.UserCommand:
		s.config.User = c.User
	case *instructions.ExposeCommand:
		s.expose(c.Ports)
	case *instructions.EntrypointCommand:
		s.config.Entrypoint = c.CmdLine
		return needsNoShell(c.ShellDependantCmdLine)
	case *instructions.CmdCommand:
		s.config.Cmd = c.CmdLine
		return needsNoShell(c.ShellDependantCmdLine)
	case *instructions.CopyCommand:
		s.copies++
		if c.String() != s.copy {
			return fmt.Errorf("want %s", s.copy)
		}
	default:
		return errors.New("hack/image does not know what to make of it")
	}
	return nil
}

func (s *stageReader) expand(word string) (string, error) {
	var environment []string
	for name, value := range s.known {
		environment = append(environment, name+"="+value)
	}
	result, undeclared, err := s.lex.ProcessWord(word, shell.EnvsFromSlice(environment))
	for name := range undeclared {
		return "", fmt.Errorf("%s is used, and no ARG in this stage declares it", name)
	}
	return result, err
}

func (s *stageReader) declare(c *instructions.ArgCommand) {
	for _, a := range c.Args {
		value, ok := s.arguments[a.Key]
		if !ok {
			value = a.ValueString()
		}
		s.known[a.Key] = value
	}
}

func (s *stageReader) expose(ports []string) {
	if s.config.ExposedPorts == nil {
		s.config.ExposedPorts = map[string]struct{}{}
	}
	for _, port := range ports {
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		s.config.ExposedPorts[port] = struct{}{}
	}
}

func needsNoShell(c instructions.ShellDependantCmdLine) error {
	if c.PrependShell || slices.Contains(c.CmdLine, "") {
		return errors.New("the image has no shell: write it as a list of words")
	}
	return nil
}
