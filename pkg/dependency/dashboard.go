package dependency

// Row is a row of panels on the dashboard of a kind's service.
type Row struct {
	Title  string  `json:"title"`
	Panels []Panel `json:"panels"`
}

// Panel shows gauges of the kind in a way that the gauges do not say themselves.
type Panel struct {
	Title string `json:"title"`
	// Description says what the panel shows and what to make of it.
	Description string `json:"description"`
	Form        Form   `json:"form"`
	// Queries are what it asks: one in a table.
	Queries []Query `json:"queries"`
	// Labels are the columns of a table before the last one, whose name is Value.
	Labels []string `json:"labels,omitempty"`
	Value  string   `json:"value,omitempty"`
}

// Form is how a [Panel] draws what its queries return.
type Form string

// The forms.
const (
	FormStacked Form = "stacked" // areas over time, one above the other
	FormTable   Form = "table"   // a row per series, as of now
)

// Query is PromQL over gauges of the kind. The dashboard adds the matchers for the
// namespaces and the Pods that a reader selects.
type Query struct {
	Expr string `json:"expr"`
	// Legend is what a series is called, with labels in braces: {{state}}. A table has none.
	Legend string `json:"legend,omitempty"`
}
