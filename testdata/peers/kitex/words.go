package main

import (
	"context"
	"hash/crc32"
	"strings"

	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/metadata"
	"github.com/cloudwego/kitex/pkg/remote/trans/nphttp2/status"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"homing.test/kitex/kitex_gen/peer"
)

// Metadata of these names is metainfo, which is set and read by Kitex's API;
// on the wire it is "rpc-transit-key" and "rpc-persist-key".
const (
	transient  = "transient "
	persistent = "persistent "
	backward   = "backward "
)

// A payload of the pattern that all peers use.
func ballast(bytes uint32) []byte {
	payload := make([]byte, bytes)
	for i := range payload {
		payload[i] = byte(i)
	}
	return payload
}

func weigh(payload []byte) *peer.Ballast {
	return &peer.Ballast{Bytes: uint32(len(payload)), Crc: crc32.ChecksumIEEE(payload)}
}

// The context of a call that is to bring the metadata.
func outgoing(ctx context.Context, data []*peer.Metadatum) context.Context {
	for _, datum := range data {
		if key, is := strings.CutPrefix(datum.Name, transient); is {
			ctx = metainfo.WithValue(ctx, key, datum.GetText())
		} else if key, is := strings.CutPrefix(datum.Name, persistent); is {
			ctx = metainfo.WithPersistentValue(ctx, key, datum.GetText())
		}
	}
	return metadata.NewOutgoingContext(ctx, toMD(data))
}

// The metadata of the call that a handler is at.
func incoming(ctx context.Context) []*peer.Metadatum {
	md, _ := metadata.FromIncomingContext(ctx)
	data := fromMD(md)
	data = append(data, named(transient, metainfo.GetAllValues(ctx))...)
	return append(data, named(persistent, metainfo.GetAllPersistentValues(ctx))...)
}

func named(prefix string, values map[string]string) []*peer.Metadatum {
	var data []*peer.Metadatum
	for key, value := range values {
		data = append(data, text(prefix+key, value))
	}
	return data
}

func toMD(data []*peer.Metadatum) metadata.MD {
	md := metadata.MD{}
	for _, datum := range data {
		if strings.Contains(datum.Name, " ") {
			continue
		}
		switch value := datum.Value.(type) {
		case *peer.Metadatum_Text:
			md.Append(datum.Name, value.Text)
		case *peer.Metadatum_Binary:
			md.Append(datum.Name, string(value.Binary))
		}
	}
	return md
}

// Those whose name starts with "x-" or "rpc-".
func fromMD(md metadata.MD) []*peer.Metadatum {
	var data []*peer.Metadatum
	for name, values := range md {
		if !strings.HasPrefix(name, "x-") && !strings.HasPrefix(name, "rpc-") {
			continue
		}
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				data = append(data, &peer.Metadatum{Name: name, Value: &peer.Metadatum_Binary{Binary: []byte(value)}})
			} else {
				data = append(data, text(name, value))
			}
		}
	}
	return data
}

func text(name, value string) *peer.Metadatum {
	return &peer.Metadatum{Name: name, Value: &peer.Metadatum_Text{Text: value}}
}

func failure(wanted *peer.Status) error {
	encoded, err := wanted.Marshal(nil)
	if err != nil {
		return err
	}
	var converted statuspb.Status
	if err := proto.Unmarshal(encoded, &converted); err != nil {
		return err
	}
	return status.FromProto(&converted).Err()
}

// A message of Kitex's code, which Kitex's own protobuf reads and writes.
type message interface {
	Marshal([]byte) ([]byte, error)
	Unmarshal([]byte) error
}

// The same message as Kitex has it.
func toKitex[M message](from proto.Message, to M) M {
	encoded, err := proto.Marshal(from)
	if err == nil {
		err = to.Unmarshal(encoded)
	}
	if err != nil {
		panic(err)
	}
	return to
}

// The same message as others have it, to be written as JSON.
func fromKitex[M proto.Message](from message, to M) M {
	encoded, err := from.Marshal(nil)
	if err == nil {
		err = proto.Unmarshal(encoded, to)
	}
	if err != nil {
		panic(err)
	}
	return to
}
