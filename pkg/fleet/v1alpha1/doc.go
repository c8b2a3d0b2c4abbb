// Package v1alpha1 has the Go types of the custom resource DependencyHealth: which sidecars to ask, and
// the health of their services. pkg/fleet/controller uses it. It has no logic. The
// CustomResourceDefinition is generated from it (make update-crd).
//
// +kubebuilder:object:generate=true
// +groupName=health.reims.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion returns the group and version of the types.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "health.reims.io", Version: "v1alpha1"}
}

// AddToScheme makes the types known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &DependencyHealth{}, &DependencyHealthList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
