package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloudwego/kitex/pkg/discovery"
	kitexregistry "github.com/cloudwego/kitex/pkg/registry"
	consul "github.com/kitex-contrib/registry-consul"
	etcd "github.com/kitex-contrib/registry-etcd"
)

// Where the service is registered, and as what; and whom it calls in turn.
type settings struct {
	registry, at, service, onward string
	weight                        int
	tags                          tags
}

type tags map[string]string

func (t tags) String() string { return "" }

func (t tags) Set(text string) error {
	key, value, _ := strings.Cut(text, "=")
	t[key] = value
	return nil
}

func settingsOf(flags *flag.FlagSet) *settings {
	s := &settings{tags: tags{}}
	flags.StringVar(&s.registry, "registry", "none", "consul, etcd or none")
	flags.StringVar(&s.at, "at", "", "the host:port of the registry")
	flags.StringVar(&s.service, "service", "homing.peer", "the name in the registry")
	flags.IntVar(&s.weight, "weight", 0, "servers: of the instance; 0 leaves it to Kitex")
	flags.Var(s.tags, "tag", "servers: key=value, of the instance; may be repeated")
	flags.StringVar(&s.onward, "onward", "", "servers: the host:port of one that answers unary calls in this one's place")
	return s
}

func (s *settings) registrar() (kitexregistry.Registry, error) {
	switch s.registry {
	case "none":
		return kitexregistry.NoopRegistry, nil
	case "consul":
		return consul.NewConsulRegister(s.at)
	case "etcd":
		return etcd.NewEtcdRegistry([]string{s.at})
	default:
		return nil, fmt.Errorf("unknown registry %q", s.registry)
	}
}

// Nil without a registry.
func (s *settings) resolver() (discovery.Resolver, error) {
	switch s.registry {
	case "none":
		return nil, nil
	case "consul":
		return consul.NewConsulResolver(s.at)
	case "etcd":
		return etcd.NewEtcdResolver([]string{s.at})
	default:
		return nil, fmt.Errorf("unknown registry %q", s.registry)
	}
}

// What Kitex makes of an entry of the registry.
type found struct {
	Address string            `json:"address"`
	Weight  int               `json:"weight"`
	Tags    map[string]string `json:"tags"`
}

func (s *settings) resolve() error {
	resolver, err := s.resolver()
	if err != nil {
		return err
	}
	if resolver == nil {
		return fmt.Errorf("resolve needs a registry")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := resolver.Resolve(ctx, s.service)
	if err != nil {
		return err
	}
	instances := []found{}
	for _, instance := range result.Instances {
		instances = append(instances, foundOf(instance))
	}
	return json.NewEncoder(os.Stdout).Encode(instances)
}

func foundOf(instance discovery.Instance) found {
	all := map[string]string{}
	if known, is := instance.(interface{ Tags() map[string]string }); is {
		all = known.Tags()
	}
	return found{Address: instance.Address().String(), Weight: instance.Weight(), Tags: all}
}
