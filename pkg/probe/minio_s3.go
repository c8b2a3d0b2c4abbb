package probe

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/reims/reims-health/pkg/health"
)

// s3Session signs the requests of one check.
type s3Session struct {
	web            *webClient
	root           url.URL
	access, secret string
	// region is the one that requests are signed for. MinIO accepts any to list its
	// buckets, and then tells its own.
	region string
}

// emptySHA256 is the hash of no body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (s *s3Session) send(ctx context.Context, method, bucket string) (webReply, error) {
	target := s.root
	target.Path += bucket
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return webReply{}, &health.Fault{
			Reason:  health.Error,
			Message: "MINIO_ENDPOINT is not host:port, or a name in MINIO_BUCKETS is no bucket's name",
			Err:     err,
		}
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	return s.web.do(signer.SignV4(*req, s.access, s.secret, "", s.region))
}

// listBuckets returns the names of the buckets. With mayBeDenied, credentials
// that may not list them see none.
func (s *s3Session) listBuckets(ctx context.Context, mayBeDenied bool) (webReply, []string, error) {
	reply, err := s.send(ctx, http.MethodGet, "")
	if err != nil {
		return reply, nil, err
	}
	if region := reply.header.Get("X-Amz-Bucket-Region"); region != "" {
		s.region = region
	}
	if reply.status != http.StatusOK {
		fault := s3Fault(reply)
		if mayBeDenied && fault.Reason == health.Forbidden {
			return reply, nil, nil
		}
		return reply, nil, fault
	}
	var list struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Names   []string `xml:"Buckets>Bucket>Name"`
	}
	if err := xml.Unmarshal(reply.body, &list); err != nil {
		return reply, nil, &health.Fault{
			Reason:  health.Protocol,
			Message: "what answers at MINIO_ENDPOINT is not MinIO, nor another S3 server",
			Err:     fmt.Errorf("read list of buckets: %w", err),
		}
	}
	return reply, list.Names, nil
}

// headBucket returns 200, 403, 404, or an error.
func (s *s3Session) headBucket(ctx context.Context, bucket string) (status int, err error) {
	reply, err := s.send(ctx, http.MethodHead, bucket)
	if err != nil {
		return 0, err
	}
	fault := s3Fault(reply)
	switch {
	case reply.status == http.StatusOK, reply.status == http.StatusNotFound,
		reply.status == http.StatusForbidden && fault.Reason == health.Forbidden:
		return reply.status, nil
	default:
		return 0, fault
	}
}

// minioReasons holds the error codes of S3 and of MinIO that say more than the
// status that they come with.
var minioReasons = map[string]health.Reason{
	"SignatureDoesNotMatch":      health.Auth,
	"InvalidAccessKeyId":         health.Auth,
	"InvalidToken":               health.Auth,
	"InvalidTokenId":             health.Auth,
	"ExpiredToken":               health.Auth,
	"AccessDenied":               health.Forbidden,
	"RequestTimeTooSkewed":       health.ClockSkew,
	"SlowDown":                   health.Overloaded,
	"SlowDownRead":               health.Overloaded,
	"SlowDownWrite":              health.Overloaded,
	"TooManyRequests":            health.Overloaded,
	"ServiceUnavailable":         health.Overloaded,
	"XMinioServerNotInitialized": health.StartingUp,
	"XMinioStorageFull":          health.DiskFull,
}

var minioMessages = map[health.Reason]string{
	health.Auth:       "MinIO refused the login: see MINIO_ACCESS_KEY and MINIO_SECRET_KEY",
	health.Forbidden:  "the MinIO credentials may not list buckets: grant s3:ListAllMyBuckets, or name in MINIO_BUCKETS what they may reach",
	health.ClockSkew:  "MinIO's clock and this machine's differ too much",
	health.StartingUp: "MinIO is starting up",
	health.Protocol:   "what answers at MINIO_ENDPOINT is not MinIO, nor another S3 server",
	health.Error:      "MinIO answers with an error of its own; see its log",
}

// s3Fault classifies an answer that is no success: by the code in its body, or in
// MinIO's header where there is no body, else by its status.
func s3Fault(reply webReply) *health.Fault {
	var answer struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	code := reply.header.Get("X-Minio-Error-Code")
	if xml.Unmarshal(reply.body, &answer) == nil && answer.Code != "" {
		code = answer.Code
	}
	reason, known := minioReasons[code]
	if !known {
		reason = statusReason(reply.status)
	}
	if reason == health.Protocol && code != "" {
		reason = health.Error // an S3 server, but not an answer to be expected
	}
	return &health.Fault{
		Reason:  reason,
		Message: minioMessages[reason],
		Err:     fmt.Errorf("answer %d with S3 code %q", reply.status, code),
	}
}
