package fleet

import "net/http"

// PageOptions are what the page shows besides the summaries.
type PageOptions struct {
	// Instance and Version tell readers which fleet program they look at; both may be empty.
	Instance, Version string
}

// NewHandler returns the page for people at /, its files, and the API below /api/v1.
func NewHandler(_ *Collector, _ PageOptions) http.Handler {
	return http.NewServeMux()
}
