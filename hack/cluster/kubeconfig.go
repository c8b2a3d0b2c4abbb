package main

import (
	"encoding/json"
	"os"
)

// writeKubeconfig writes a kubeconfig that is whole in itself. JSON is YAML.
func writeKubeconfig(path string, ca []byte, client pair) error {
	type object map[string]any
	content, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": clusterName,
		"clusters": []object{{"name": clusterName, "cluster": object{"server": apiServer, "certificate-authority-data": ca}}},
		"users":    []object{{"name": clusterName, "user": object{"client-certificate-data": client.cert, "client-key-data": client.key}}},
		"contexts": []object{{"name": clusterName, "context": object{"cluster": clusterName, "user": clusterName}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
