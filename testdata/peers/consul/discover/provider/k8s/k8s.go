package k8s

import (
	"errors"
	"log"
)

type Provider struct{}

func (*Provider) Addrs(map[string]string, *log.Logger) ([]string, error) {
	return nil, errors.New("this agent asks no Kubernetes for addresses")
}

func (*Provider) Help() string {
	return ""
}
