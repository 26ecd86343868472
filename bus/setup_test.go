package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a user of the bus must be allowed to; doc.go says the same.
const rights = "+@connection +@pubsub +@stream +@hash +eval +evalsha +unlink +time +cluster|slots +cluster|shards +role"

func TestRedis_UserPasswordAndDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--requirepass", "default's")
	s.pass = "default's"
	set := append([]string{"ACL", "SETUSER", "nebula", "on", ">p@ss/word", "~nebula:*", "&nebula:*"}, strings.Fields(rights)...)
	s.must(set...)
	url := "redis://nebula:p%40ss%2Fword@" + s.addr()
	nodes := newCluster(t, url+"/5", 2, 2)
	other := newCluster(t, url+"/6", 2, 2)
	var a, b acks
	chat(t, nodes, []string{"room0", "room1"}, "m", 10, &a).Wait()
	chat(t, other, []string{"room0"}, "o", 10, &b).Wait()
	agree(t, nodes, &a)
	agree(t, other, &b)
	if got := len(other[0].history()["room0"]); got != 20 {
		t.Errorf("the other database's cluster has %d messages, want its 20", got)
	}
	s.kill() // a new epoch needs the same rights
	s.start()
	s.must(set...)
	chat(t, nodes, []string{"room0", "room1"}, "n", 10, &a).Wait()
	agree(t, nodes, &a)
}

func TestRedis_WrongPasswordIsNotReady(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--requirepass", "right")
	s.pass = "right"
	n := newNode(t, "redis://:wrong@"+s.addr(), "n", 1)
	time.Sleep(100 * time.Millisecond)
	if n.Ready() == nil {
		t.Error("ready with a wrong password")
	}
}

func TestRedis_TLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certPEM, keyPEM := certificate()
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600), os.WriteFile(key, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", cert)
	port := freePort(t)
	newServer(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	nodes := newCluster(t, "rediss://127.0.0.1:"+strconv.Itoa(port), 2, 1)
	var a acks
	chat(t, nodes, []string{"room0"}, "m", 10, &a).Wait()
	agree(t, nodes, &a)
}

// certificate is made once: a process reads whom it trusts only once, too.
var certificate = sync.OnceValues(func() (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	certDER, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		panic(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
})

// Three masters, each with a third of the slots; then one of them is killed, and
// comes back empty.
func TestRedis_RedisCluster(t *testing.T) {
	t.Parallel()
	var servers []*server
	var ports []string // on which they talk to each other; by default one that clients may have
	for range 3 {
		ports = append(ports, strconv.Itoa(freePort(t)))
		servers = append(servers, newServer(t, "--cluster-enabled", "yes", "--cluster-port", ports[len(ports)-1],
			"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"))
	}
	for i, s := range servers {
		s.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*16384/3), strconv.Itoa((i+1)*16384/3-1))
		s.must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i > 0 {
			s.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(servers[0].port), ports[0])
		}
	}
	for _, s := range servers {
		eventually(t, "the cluster is formed", func() bool {
			info := s.must("CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_assigned:16384") &&
				strings.Contains(info, "cluster_size:3")
		})
	}
	nodes := newCluster(t, servers[0].url(), 2, 8)
	rooms := []string{"room0", "room1", "room2", "room3", "room4", "room5", "room6", "room7"}
	var a acks
	chat(t, nodes, rooms, "m", 10, &a).Wait()
	agree(t, nodes, &a)
	talk := chat(t, nodes, rooms, "n", 10, &a)
	servers[1].kill()
	servers[1].start()
	talk.Wait()
	for _, n := range nodes {
		n.ready(t)
		gapless(t, n)
	}
	agree(t, nodes, &a)
}
