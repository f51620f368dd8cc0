package daemon

import (
	"net"
	"net/url"
	"os"
	"strings"

	"example.com/steno/cmd/steno/cluster"
)

// Clustered says that the daemon is one of many that share a JetStream.
func (s *Settings) Clustered() bool { return s.ClusterListen != "" }

// checkCluster finds what is wrong with the settings of a cluster.
func (s *Settings) checkCluster(fault func(bad bool, name, format string, args ...any)) {
	if !s.Clustered() {
		fault(s.ClusterAddress != "" || s.ClusterName != "" || s.ClusterKey != "" || s.ClusterSystemURL != "", "CLUSTER_LISTEN", "is missing, and other settings of a cluster are there: is this daemon alone?")
		return
	}
	_, port, err := net.SplitHostPort(s.ClusterListen)
	fault(err != nil || port == "", "CLUSTER_LISTEN", "is %q: must be host:port or :port", s.ClusterListen)
	host, port, err := net.SplitHostPort(s.clusterAddress())
	ip := net.ParseIP(host)
	fault(err != nil || host == "" || port == "" || ip != nil && ip.IsUnspecified(), "CLUSTER_ADDRESS", "is %q: must be the host:port by which the other daemons reach this one", s.clusterAddress())
	fault(s.ClusterKey == "", "CLUSTER_KEY", "is missing: the daemons of a cluster must know each other")
	fault(s.SpoolURL == "", "SPOOL_URL", "is missing: a cluster keeps its utterances in a JetStream of its own")
	fault(s.ClusterReplicas < 1 || s.ClusterReplicas > 5, "CLUSTER_REPLICAS", "is %d: must be from 1 to 5", s.ClusterReplicas)
	fault(s.clusterName() == "", "CLUSTER_NAME", "is missing, and this machine has no name")
}

// noNatsURL does not repeat what holds a password.
const noNatsURL = "must be URLs such as nats://user:password@host:4222 with commas between them, where what is special in a password is escaped, as %%2F for /"

// natsURLs says whether the client of NATS can read a list of URLs; an empty one
// too. Its own complaint would have the password in it.
func natsURLs(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		if u, err := url.Parse(one); err != nil || u.Host == "" && list != "" {
			return false
		}
	}
	return true
}

// clusterAddress is where the other daemons reach this one.
func (s *Settings) clusterAddress() string {
	if s.ClusterAddress != "" {
		return s.ClusterAddress
	}
	return s.ClusterListen
}

// clusterName is the daemon's name among the others.
func (s *Settings) clusterName() string {
	if s.ClusterName != "" {
		return s.ClusterName
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.ToLower(host)
}

// partitionsByOrg are the numbers of partitions that the cluster has to give.
func partitionsByOrg(orgs []Org) map[string]int {
	all := map[string]int{}
	for _, o := range orgs {
		all[o.SFOrg] = o.ClusterPartitions
	}
	return all
}

// of are the settings for one partition of the org: what is the whole org's is
// divided, so that the sum holds without anybody asking anybody, as far as each
// can have one of it.
func (s Settings) of(p cluster.Partition) Settings {
	n := s.ClusterPartitions
	inFlight := s.SFMaxInFlight / n
	if p.Number < s.SFMaxInFlight%n {
		inFlight++
	}
	s.SFMaxInFlight = max(1, inFlight)
	s.SpoolMaxBytes = max(1<<20, s.SpoolMaxBytes/int64(n))
	s.DeadLettersMaxBytes = max(1<<20, s.DeadLettersMaxBytes/int64(n))
	if cluster.PartitionOf(p.Org, s.ProbeCall, n) != p {
		s.Probe = 0 // the owner of the test call's partition probes
	}
	return s
}
