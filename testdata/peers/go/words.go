package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"hash/crc32"
	"strings"

	"google.golang.org/grpc/metadata"

	"homing.test/peer/peerv1"
)

// A payload of the pattern that all peers use.
func ballast(bytes uint32) []byte {
	payload := make([]byte, bytes)
	for i := range payload {
		payload[i] = byte(i)
	}
	return payload
}

func weigh(payload []byte) *peerv1.Ballast {
	return &peerv1.Ballast{Bytes: uint32(len(payload)), Crc: crc32.ChecksumIEEE(payload)}
}

func toMD(data []*peerv1.Metadatum) metadata.MD {
	md := metadata.MD{}
	for _, datum := range data {
		switch value := datum.Value.(type) {
		case *peerv1.Metadatum_Text:
			md.Append(datum.Name, value.Text)
		case *peerv1.Metadatum_Binary:
			md.Append(datum.Name, string(value.Binary))
		}
	}
	return md
}

// Those whose name starts with "x-".
func fromMD(md metadata.MD) []*peerv1.Metadatum {
	var data []*peerv1.Metadatum
	for name, values := range md {
		if !strings.HasPrefix(name, "x-") {
			continue
		}
		for _, value := range values {
			datum := &peerv1.Metadatum{Name: name, Value: &peerv1.Metadatum_Text{Text: value}}
			if strings.HasSuffix(name, "-bin") {
				datum.Value = &peerv1.Metadatum_Binary{Binary: []byte(value)}
			}
			data = append(data, datum)
		}
	}
	return data
}

// The certificate of this side, if any, and the authority for the other's.
func identities(settings *peerv1.Tls) ([]tls.Certificate, *x509.CertPool, error) {
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(settings.Ca)) {
		return nil, nil, errors.New("tls: ca holds no certificate")
	}
	if settings.Certificate == "" {
		return nil, authorities, nil
	}
	pair, err := tls.X509KeyPair([]byte(settings.Certificate), []byte(settings.Key))
	return []tls.Certificate{pair}, authorities, err
}
