package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The conditions of a DependencyHealth. Each is True, False or Unknown.
const (
	// ConditionHealthy is True if every service is healthy for every Pod that answers.
	ConditionHealthy = "Healthy"
	// ConditionReporting is True if at least half of the Pods answer.
	ConditionReporting = "Reporting"
)

// DependencyHealth is the health of the services that a workload depends on, as the sidecars of its
// Pods report it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dh
// +kubebuilder:printcolumn:name="Pods",type=string,JSONPath=`.status.summary.pods`,description="Pods that answer, out of all"
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="Worst",type=string,JSONPath=`.status.summary.worst`,description="The worst service, for how many Pods, and why"
// +kubebuilder:printcolumn:name="Extent",type=string,JSONPath=`.status.summary.extent`,description="Where the worst service fails"
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`,description="Time since the status changed"
type DependencyHealth struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	Spec DependencyHealthSpec `json:"spec"`
	// Status is written only by reims-health-fleet.
	Status DependencyHealthStatus `json:"status,omitzero"`
}

// DependencyHealthList is a list of DependencyHealth objects.
//
// +kubebuilder:object:root=true
type DependencyHealthList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []DependencyHealth `json:"items"`
}

// DependencyHealthSpec sets which sidecars to ask, and how.
//
// +kubebuilder:validation:XValidation:rule="!has(self.serverName) || has(self.caBundle)",message="serverName needs caBundle: without it the sidecars are asked by HTTP"
type DependencyHealthSpec struct {
	// Service is the name of the headless Service of the sidecars, in the same namespace. It
	// needs the label health.reims.io/sidecars: "true", and should publish not-ready addresses
	// (publishNotReadyAddresses).
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Service string `json:"service"`
	// Port is the port of the sidecars.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8008
	// +optional
	Port int32 `json:"port,omitempty"`
	// Interval is the time between two requests to a Pod, such as 5s; 1s to 1h. It becomes
	// longer if there are more Pods than FLEET_REQUESTS_PER_SECOND allows.
	//
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="interval must be 1s to 1h"
	// +kubebuilder:default="5s"
	// +optional
	Interval metav1.Duration `json:"interval,omitzero"`
	// CABundle has PEM certificates of certificate authorities. With it, the sidecars are asked by
	// HTTPS and must present a certificate for serverName from one of these authorities.
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

// DependencyHealthStatus is the summary of the sidecars' answers.
type DependencyHealthStatus struct {
	// ObservedGeneration is the generation of the spec that the status is based on.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Status is healthy, degraded, unhealthy or, if too few Pods have a result, unknown.
	//
	// +kubebuilder:validation:Enum=healthy;degraded;unhealthy;unknown
	// +optional
	Status string `json:"status,omitempty"`
	// Since is when the status last changed.
	//
	// +optional
	Since metav1.Time `json:"since,omitzero"`
	// Summary has the columns of kubectl get.
	//
	// +optional
	Summary Summary `json:"summary,omitzero"`
	// Pods counts the Pods.
	//
	// +optional
	Pods PodCounts `json:"pods,omitzero"`
	// Services has one entry per service, sorted by name.
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

// Summary is the status in a few words.
type Summary struct {
	// Pods is the number of Pods that answer, out of all: 11/12.
	//
	// +optional
	Pods string `json:"pods,omitempty"`
	// Worst is the worst service, for how many Pods, and why: database 12/12 refused. It is
	// absent if no service is degraded or unhealthy.
	//
	// +optional
	Worst string `json:"worst,omitempty"`
	// Extent is where that service fails: shared, zone europe-west1-b, node worker-3, or
	// pods. It is absent if it is unhealthy for no Pod.
	//
	// +optional
	Extent string `json:"extent,omitempty"`
}

// PodCounts counts the Pods of the workload.
type PodCounts struct {
	// Known is the number of Pods of the Service.
	Known int32 `json:"known"`
	// Answering is the number of Pods with an answer that is at most three intervals old.
	Answering int32 `json:"answering"`
	// Ready is the number of ready Pods, according to the EndpointSlices.
	Ready int32 `json:"ready"`
}

// ServiceStatus is the state of one service over all Pods.
type ServiceStatus struct {
	Name string `json:"name"`
	// +kubebuilder:validation:Enum=healthy;degraded;unhealthy;unknown
	Status string `json:"status"`
	// Since is when the status last changed.
	//
	// +optional
	Since metav1.Time `json:"since,omitzero"`
	// Pods counts the Pods by the service's status.
	Pods ServicePods `json:"pods"`
	// Reasons counts the Pods by reason. Reasons of unhealthy results come first, then the most
	// frequent.
	//
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Reasons []ReasonCount `json:"reasons,omitempty"`
	// Extent is where the service is unhealthy: in some pods, on a node, in a zone, or
	// for most Pods (shared). It is absent if the service is unhealthy for no Pod, or if too few Pods
	// have a result.
	//
	// +kubebuilder:validation:Enum=pods;node;zone;shared
	// +optional
	Extent string `json:"extent,omitempty"`
	// Names are the affected Pods, nodes or zones, at most 10.
	//
	// +kubebuilder:validation:MaxItems=10
	// +listType=set
	// +optional
	Names []string `json:"names,omitempty"`
	// Announced is true if the latest Event about the service says that it is unhealthy. It keeps the
	// next leader from creating the Event again.
	//
	// +optional
	Announced bool `json:"announced,omitempty"`
}

// ServicePods counts the Pods by a service's status.
type ServicePods struct {
	Healthy   int32 `json:"healthy"`
	Degraded  int32 `json:"degraded"`
	Unhealthy int32 `json:"unhealthy"`
	// Unknown includes the Pods that do not answer.
	Unknown int32 `json:"unknown"`
}

// ReasonCount is the number of Pods with one reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Pods   int32  `json:"pods"`
}
