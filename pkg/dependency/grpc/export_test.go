package grpc

// Request and Response are the messages of a check.
var (
	Request  = request
	Response = response
)
