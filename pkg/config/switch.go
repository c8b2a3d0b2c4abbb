package config

import "strings"

// Switch is on or off. In the environment it is written on, off, true or false.
type Switch bool

const switchWords = "on off true false"

// EnvDecode sets the switch. An empty value leaves it alone: envconfig calls this
// for every switch that is off, whether its variable is set or not.
func (s *Switch) EnvDecode(text string) error {
	switch strings.ToLower(text) {
	case "":
	case "on", "true":
		*s = true
	case "off", "false":
		*s = false
	default:
		return Invalid("%s is none of on, off, true, false", Quote(text))
	}
	return nil
}

// String returns on or off.
func (s Switch) String() string {
	if s {
		return "on"
	}
	return "off"
}
