package daemon

import (
	"context"
	"fmt"
	"iter"
	"time"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/steno/cluster"
)

// checkPatience is how long the cluster's servers may take over a check.
const checkPatience = 10 * time.Second

// CheckCluster says, thing by thing, whether the servers of the cluster are as
// they must be; nil: so it is. It takes no lease and disturbs no daemon.
func (s *Settings) CheckCluster(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, enough := context.WithTimeout(ctx, checkPatience)
		defer enough()
		st, err := cluster.Inspect(ctx, s.SpoolURL)
		if err != nil {
			yield("JetStream of the cluster", err)
			return
		}
		if !yield(fmt.Sprintf("JetStream of the cluster: server %s of %d", st.Server, st.Servers), nil) || !yield(standing(st, s.ClusterReplicas)) {
			return
		}
		if s.ClusterSystemURL == "" {
			yield("whether all servers sync always: not asked; with STENO_CLUSTER_SYSTEM_URL they can be", nil)
			return
		}
		yield("all servers sync always", durable.CheckServers(ctx, s.ClusterSystemURL, s.ClusterReplicas))
	}
}

// standing is what the bucket of the cluster says of its replicas.
func standing(st cluster.Standing, want int) (what string, err error) {
	switch {
	case !st.Made:
		return fmt.Sprintf("replicas: no daemon has run yet; the first one asks for %d", want), nil
	case st.Replicas != want:
		err = fmt.Errorf("they are %d, and %sCLUSTER_REPLICAS is %d", st.Replicas, Prefix, want)
	case st.Behind > 0:
		err = fmt.Errorf("%d of %d are down or behind", st.Behind, st.Replicas)
	}
	return fmt.Sprintf("replicas: %d", st.Replicas), err
}

// checkServers refuses servers that lose what they have acknowledged when all of
// them lose power, where they can be asked. One that is down is no reason not to
// start: there are others.
func (s *Settings) checkServers(ctx context.Context) error {
	if s.ClusterSystemURL == "" {
		return nil
	}
	ctx, enough := context.WithTimeout(ctx, checkPatience)
	defer enough()
	return durable.CheckServers(ctx, s.ClusterSystemURL, 1)
}
