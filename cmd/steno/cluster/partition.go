package cluster

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Partition is a part of an org's calls: what one member works on at a time.
type Partition struct {
	Org    string
	Number int // from 0 to the org's number of partitions
}

func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Org, p.Number) }

// PartitionOf is the one partition of n that a call belongs to, on every
// member, under every version of the program, for ever: another answer for a
// call under way would split it.
func PartitionOf(org, call string, n int) Partition {
	h := fnv.New64a()
	h.Write([]byte(org))
	h.Write([]byte{0})
	h.Write([]byte(call))
	return Partition{org, int(mixed(h.Sum64()) % uint64(n))}
}

// mixed spreads FNV's upper bits over the lower ones, which by themselves
// depend on little more than the lower bits of the name.
func mixed(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// The keys of the bucket.
const (
	memberPrefix = "member."
	ownerPrefix  = "owner."
	orgPrefix    = "org."
)

func memberKey(id string) string   { return memberPrefix + Token(id) }
func orgKey(org string) string     { return orgPrefix + Token(org) }
func ownerKey(p Partition) string  { return fmt.Sprintf("%s%s.%d", ownerPrefix, Token(p.Org), p.Number) }
func historyKey(org string) string { return "history." + Token(org) }

func parseOwnerKey(key string) (p Partition, ok bool) {
	rest, ok := strings.CutPrefix(key, ownerPrefix)
	name, number, cut := strings.Cut(rest, ".")
	if !ok || !cut {
		return Partition{}, false
	}
	org, err := untoken(name)
	if err != nil {
		return Partition{}, false
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || strconv.Itoa(n) != number {
		return Partition{}, false
	}
	return Partition{org, n}, true
}

// Token writes a name so that it can be a part of a key, of a subject and of a
// stream's name: letters, digits, - and _ stay, any other byte is = and two hex
// digits, and no name at all is =.
func Token(name string) string {
	if name == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}

func untoken(token string) (string, error) {
	if token == "=" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			b.WriteByte(token[i])
			continue
		}
		if i+3 > len(token) {
			return "", fmt.Errorf("the token %q ends within an escape", token)
		}
		c, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("the token %q has a bad escape: %w", token, err)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}
