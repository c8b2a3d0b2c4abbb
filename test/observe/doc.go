// Package observe puts real sidecars, Prometheus and Alertmanager on real servers, breaks
// things, and tells which alerts arrive. Its tests, `make observe-test`, hold the rules in
// config/prometheus to it; hack/observe lets a person watch.
//
// The rules are the real ones. So that minutes become seconds, every duration in them and
// in the configurations is divided by one factor, and the sidecars' intervals as well; see
// [Scale]. What is not divided: a probe's timeout, and the second after which the monitor
// looks again. Next to the divided waits these are long, so the proof is on the safe side.
package observe
