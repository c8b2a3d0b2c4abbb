package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The conditions of a DependencyHealth. Each is True, False or Unknown.
const (
	// ConditionHealthy is True where every service is healthy for every Pod that answers.
	ConditionHealthy = "Healthy"
	// ConditionReporting is True where at least half of the Pods answer.
	ConditionReporting = "Reporting"
)

// DependencyHealth is the health of what one workload depends on, as the sidecars of its
// Pods see it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dh
// +kubebuilder:printcolumn:name="Pods",type=string,JSONPath=`.status.summary.pods`,description="Pods that answer, of all"
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="Worst",type=string,JSONPath=`.status.summary.worst`,description="The worst service, for how many Pods, and why"
// +kubebuilder:printcolumn:name="Extent",type=string,JSONPath=`.status.summary.extent`,description="Where the worst service fails"
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`,description="For how long it has had this status"
type DependencyHealth struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	Spec DependencyHealthSpec `json:"spec"`
	// Status is written by reims-health-fleet alone.
	Status DependencyHealthStatus `json:"status,omitzero"`
}

// DependencyHealthList is a list of them.
//
// +kubebuilder:object:root=true
type DependencyHealthList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []DependencyHealth `json:"items"`
}

// DependencyHealthSpec says which sidecars to ask, and how.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serverName) || has(self.caBundle)",message="serverName needs caBundle: without it the sidecars are asked by HTTP"
type DependencyHealthSpec struct {
	// Service is the name of the headless Service of the sidecars, in the same namespace. It
	// needs the label health.reims.io/sidecars: "true", and should publish the addresses of
	// Pods that are not ready.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Service string `json:"service"`
	// Port is that of the sidecars' answers.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8008
	// +optional
	Port int32 `json:"port,omitempty"`
	// Interval is the time from one question to a Pod to the next, such as 5s: 1s to 1h. It is
	// longer where there are so many Pods that more than 500 questions per second would be asked.
	//
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="interval must be 1s to 1h"
	// +kubebuilder:default="5s"
	// +optional
	Interval metav1.Duration `json:"interval,omitzero"`
	// CABundle holds certificates of authorities, as PEM. With it, the sidecars are asked by
	// HTTPS and must show a certificate for serverName that one of these has issued.
	//
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	CABundle []byte `json:"caBundle,omitempty"`
	// ServerName is the name in the sidecars' certificates. The default is
	// SERVICE.NAMESPACE.svc.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServerName string `json:"serverName,omitempty"`
}

// DependencyHealthStatus is what the sidecars say.
type DependencyHealthStatus struct {
	// ObservedGeneration is that of the spec which the status is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Status is healthy, degraded, unhealthy or, where too few Pods can tell, unknown.
	//
	// +kubebuilder:validation:Enum=healthy;degraded;unhealthy;unknown
	// +optional
	Status string `json:"status,omitempty"`
	// Since is from when the status has been the same.
	//
	// +optional
	Since metav1.Time `json:"since,omitzero"`
	// Summary has the words of kubectl get.
	//
	// +optional
	Summary Summary `json:"summary,omitzero"`
	// Pods counts the Pods.
	//
	// +optional
	Pods PodCounts `json:"pods,omitzero"`
	// Services has one entry per service, by name.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Services []ServiceStatus `json:"services,omitempty"`
	// Conditions are Healthy and Reporting.
	//
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Summary says in a few words what the status is.
type Summary struct {
	// Pods is how many Pods answer, of all: 11/12.
	//
	// +optional
	Pods string `json:"pods,omitempty"`
	// Worst is the worst service, for how many Pods, and why: database 12/12 refused. It is
	// absent where all is well.
	//
	// +optional
	Worst string `json:"worst,omitempty"`
	// Extent is where that service fails: shared, zone europe-west1-b, node worker-3, or
	// pods. It is absent where none is unhealthy.
	//
	// +optional
	Extent string `json:"extent,omitempty"`
}

// PodCounts counts the Pods of the workload.
type PodCounts struct {
	// Known is how many the Service has.
	Known int32 `json:"known"`
	// Answering is how many of them have answered of late.
	Answering int32 `json:"answering"`
	// Ready is how many are ready, by the EndpointSlices.
	Ready int32 `json:"ready"`
}

// ServiceStatus is one service, as all Pods see it.
type ServiceStatus struct {
	Name string `json:"name"`
	// +kubebuilder:validation:Enum=healthy;degraded;unhealthy;unknown
	Status string `json:"status"`
	// Since is from when the status has been the same.
	//
	// +optional
	Since metav1.Time `json:"since,omitzero"`
	// Pods counts the Pods by what they say of the service.
	Pods ServicePods `json:"pods"`
	// Reasons counts the Pods by reason: first those for which the service is unhealthy, the most
	// frequent first.
	//
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Reasons []ReasonCount `json:"reasons,omitempty"`
	// Extent is where the service is unhealthy: in some pods, on a node, in a zone, or
	// everywhere (shared). It is absent where it is unhealthy for none, and where too few Pods can
	// tell.
	//
	// +kubebuilder:validation:Enum=pods;node;zone;shared
	// +optional
	Extent string `json:"extent,omitempty"`
	// Names are those of the Pods, nodes or zones, at most 10.
	//
	// +kubebuilder:validation:MaxItems=10
	// +listType=set
	// +optional
	Names []string `json:"names,omitempty"`
	// Announced is that an Event has told that the service is unhealthy, and none since that it is
	// usable again. It keeps the next leader from telling it twice.
	//
	// +optional
	Announced bool `json:"announced,omitempty"`
}

// ServicePods counts the Pods by what they say of a service.
type ServicePods struct {
	Healthy   int32 `json:"healthy"`
	Degraded  int32 `json:"degraded"`
	Unhealthy int32 `json:"unhealthy"`
	// Unknown counts the Pods that do not answer as well.
	Unknown int32 `json:"unknown"`
}

// ReasonCount is how many Pods have a reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Pods   int32  `json:"pods"`
}
