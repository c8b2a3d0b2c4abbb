package s3

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// session signs the requests of one check.
type session struct {
	web            *dependency.HTTPClient
	root           url.URL
	virtualHost    bool // a bucket is a host
	access, secret string
	// region is the one that requests are signed for. MinIO accepts any to list its
	// buckets, and then tells its own; others refuse a wrong one, and name theirs.
	region string
	// latency is that of the first answer.
	latency time.Duration
}

// emptySHA256 is the hash of no body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// send asks once more where the answer names the region to sign for.
func (s *session) send(ctx context.Context, method, bucket string) (dependency.HTTPReply, error) {
	reply, err := s.sendSigned(ctx, method, bucket)
	// A redirect names the region of another endpoint.
	if region := region(reply); err == nil && region != "" && region != s.region && reply.Status/100 != 3 {
		s.region = region
		if wantsRegion(reply) {
			reply, err = s.sendSigned(ctx, method, bucket)
		}
	}
	if err == nil && s.latency == 0 {
		s.latency = reply.Latency
	}
	return reply, err
}

func (s *session) sendSigned(ctx context.Context, method, bucket string) (dependency.HTTPReply, error) {
	target := s.root
	if s.virtualHost && bucket != "" {
		target.Host = bucket + "." + target.Host
	} else {
		target.Path += bucket
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return dependency.HTTPReply{}, &health.Fault{
			Reason:  health.ReasonError,
			Message: "{ENDPOINT} is not host:port, or a name in {BUCKETS} is no bucket's name",
			Err:     err,
		}
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	return s.web.Do(signer.SignV4(*req, s.access, s.secret, "", s.region))
}

// bucketList is the answer to ListBuckets.
type bucketList struct {
	names []string
	// partial says that there may be others: they are too many to be read.
	partial bool
	// minio says that the server is a MinIO, and not another S3 server.
	minio bool
}

// listBuckets returns the names of the buckets. With named, the credentials need
// not be allowed to list them, and the list may be longer than what is read.
func (s *session) listBuckets(ctx context.Context, named bool) (bucketList, error) {
	reply, err := s.send(ctx, http.MethodGet, "")
	if named && errors.Is(err, dependency.ErrReplyTooLarge) && reply.Status == http.StatusOK && isBucketList(reply.Body) {
		return bucketList{partial: true}, nil
	}
	if err != nil {
		return bucketList{}, err
	}
	minio := reply.Header.Get("Server") == "MinIO"
	if reply.Status != http.StatusOK {
		fault := faultOf(reply)
		if named && fault.Reason == health.ReasonForbidden {
			return bucketList{minio: minio}, nil
		}
		return bucketList{}, fault
	}
	var list struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Owner   string   `xml:"Owner>DisplayName"`
		Names   []string `xml:"Buckets>Bucket>Name"`
	}
	if err := xml.Unmarshal(reply.Body, &list); err != nil {
		fault := notS3(reply)
		fault.Err = fmt.Errorf("read list of buckets: %w", err)
		return bucketList{}, fault
	}
	return bucketList{names: list.Names, minio: minio || list.Owner == "minio"}, nil
}

// isBucketList reports whether this is the beginning of a list of buckets.
func isBucketList(start []byte) bool {
	for decoder := xml.NewDecoder(bytes.NewReader(start)); ; {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if element, ok := token.(xml.StartElement); ok {
			return element.Name.Local == "ListAllMyBucketsResult"
		}
	}
}

// headBucket returns 200, 403, 404, or an error.
func (s *session) headBucket(ctx context.Context, bucket string) (status int, err error) {
	reply, err := s.send(ctx, http.MethodHead, bucket)
	if err != nil {
		return 0, err
	}
	code, _ := errorCode(reply)
	switch {
	case reply.Status == http.StatusBadRequest && !bucketName.MatchString(bucket): // there cannot be one
		return http.StatusNotFound, nil
	case reply.Status == http.StatusOK, reply.Status == http.StatusNotFound,
		reply.Status == http.StatusForbidden && (code == "" || minioReasons[code] == health.ReasonForbidden):
		return reply.Status, nil
	default:
		return 0, faultOf(reply)
	}
}

// minioReasons holds the error codes of S3 and of MinIO that say more than the
// status that they come with.
var minioReasons = map[string]health.Reason{
	"SignatureDoesNotMatch":      health.ReasonAuth,
	"InvalidAccessKeyId":         health.ReasonAuth,
	"InvalidToken":               health.ReasonAuth,
	"InvalidTokenId":             health.ReasonAuth,
	"ExpiredToken":               health.ReasonAuth,
	"AccessDenied":               health.ReasonForbidden,
	"RequestTimeTooSkewed":       health.ReasonClockSkew,
	"SlowDown":                   health.ReasonOverloaded,
	"SlowDownRead":               ReasonQuorum,
	"SlowDownWrite":              ReasonQuorum,
	"TooManyRequests":            health.ReasonOverloaded,
	"ServerBusy":                 health.ReasonOverloaded,
	"MissingFields":              health.ReasonAuth, // a key with a comma
	"XMinioServerNotInitialized": health.ReasonStartingUp,
	"XMinioIAMNotInitialized":    health.ReasonStartingUp,
	"XMinioStorageFull":          health.ReasonDiskFull,
}

var minioMessages = map[health.Reason]string{
	health.ReasonAuth:       "MinIO refused the login: see {ACCESS_KEY} and {SECRET_KEY}",
	health.ReasonForbidden:  "the MinIO credentials may not list buckets: grant s3:ListAllMyBuckets, or name in {BUCKETS} what they may reach",
	health.ReasonClockSkew:  "MinIO's clock and this machine's differ too much",
	health.ReasonStartingUp: "MinIO is starting up",
	health.ReasonOverloaded: "MinIO asks for fewer requests",
	ReasonQuorum:            "MinIO has lost too many of its drives or nodes to read: bring them back",
	health.ReasonError:      "MinIO answers with an error of its own; see its log",
}

// messageNoWrites is on a MinIO that still reads.
const messageNoWrites = "MinIO has lost too many of its drives or nodes to write, and still reads: bring them back"

// codeMessages has words for codes whose reason says too little.
var codeMessages = map[string]string{
	"AuthorizationHeaderMalformed": "the S3 server refuses the region that the request is signed for, and does not name its own: see {REGION}",
	"PermanentRedirect":            "the bucket is in another region: {ENDPOINT} has to be that region's own endpoint",
	"TemporaryRedirect":            "the S3 server sends the sidecar to another endpoint: see {ENDPOINT}",
	"ServiceUnavailable":           "the S3 server says that it is unavailable; see its log",
}

// errorCode returns the code of an S3 error: the one in the body, or in MinIO's header
// where there is no body. Region is the one that the server names, if any.
func errorCode(r dependency.HTTPReply) (code, region string) {
	var answer struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		Region  string
	}
	if xml.Unmarshal(r.Body, &answer) != nil || answer.Code == "" {
		return r.Header.Get("X-Minio-Error-Code"), ""
	}
	if expected := expectedRegion.FindStringSubmatch(answer.Message); expected != nil && answer.Region == "" {
		answer.Region = expected[1]
	}
	return answer.Code, answer.Region
}

var (
	bucketName     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	expectedRegion = regexp.MustCompile(`expecting '([^']+)'`)
	regionName     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// region returns the region that an answer names, or "".
func region(r dependency.HTTPReply) string {
	region := r.Header.Get("X-Amz-Bucket-Region")
	if _, named := errorCode(r); region == "" {
		region = named
	}
	if !regionName.MatchString(region) {
		return ""
	}
	return region
}

// wantsRegion reports whether the request was signed for a region that is not the
// server's.
func wantsRegion(r dependency.HTTPReply) bool {
	code, _ := errorCode(r)
	return r.Status == http.StatusBadRequest && (code == "AuthorizationHeaderMalformed" || code == "")
}

// notS3 returns the fault of an answer that is not S3's.
func notS3(r dependency.HTTPReply) *health.Fault {
	return r.StrangerFault("MinIO", "MinIO, nor another S3 server", "{ENDPOINT}", "{SECURE}")
}

// faultOf classifies an answer that is no success by its S3 error code. An answer
// without one is another's, unless its header is S3's and it has no body, as on HEAD.
func faultOf(reply dependency.HTTPReply) *health.Fault {
	code, _ := errorCode(reply)
	if code == "" && reply.Header.Get("X-Amz-Bucket-Region") != "" && reply.Status/100 == 3 {
		code = "PermanentRedirect"
	}
	if code == "" && (reply.Header.Get("X-Amz-Request-Id") == "" || len(reply.Body) > 0) {
		return notS3(reply)
	}
	fault := &health.Fault{Reason: minioReasons[code], Err: fmt.Errorf("answer %d with S3 code %q", reply.Status, code)}
	switch {
	case fault.Reason != "":
	case reply.Status == http.StatusUnauthorized:
		fault.Reason = health.ReasonAuth
	case reply.Status == http.StatusForbidden:
		fault.Reason = health.ReasonForbidden
	case reply.Status == http.StatusTooManyRequests && code != "":
		fault.Reason = health.ReasonOverloaded
	default:
		fault.Reason = health.ReasonError // an S3 server, but not an answer to be expected
	}
	fault.Message = cmp.Or(codeMessages[code], minioMessages[fault.Reason])
	if named := region(reply); named != "" && code == "AuthorizationHeaderMalformed" {
		fault.Message = "the S3 server refuses the region that the request is signed for, and names " + named + ": see {REGION}"
	}
	if code == "SlowDownWrite" {
		fault.Severity, fault.Message = health.SeverityUnproven, messageNoWrites
	}
	return fault
}
