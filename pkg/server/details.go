package server

// Details says how much a reader without the token is shown.
type Details string

const (
	// Full shows everything.
	Full Details = "full"
	// Safe shows statuses, reasons and numbers, and withholds names, endpoints,
	// versions and messages. A reader with the token is shown everything.
	Safe Details = "safe"
	// Off shows statuses only, to everybody.
	Off Details = "off"
)

func (d Details) withToken() Details {
	if d == Safe {
		return Full
	}
	return d
}
