/* SPDX-License-Identifier: MIT
 *
 * The fast data plane of mip6lab: what lab/plane/user.py and lab/plane/paths.py do with packets, for the layouts that
 * nearly all packets have. Whatever is not known here goes its way (TC_ACT_UNSPEC) and is dealt with in Python: on the
 * tunnel device it is read there, on other devices it reaches the sockets. Built by build.sh.
 */

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define htons(x) ((__u16)__builtin_bswap16(x))
#define ntohs(x) htons(x)

/* These are in the uapi headers as numbers to be called. */
static void *(*lookup)(const void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*load)(const void *skb, __u32 at, void *to, __u32 size) = (void *)BPF_FUNC_skb_load_bytes;
static long (*store)(void *skb, __u32 at, const void *from, __u32 size, __u64 flags) =
	(void *)BPF_FUNC_skb_store_bytes;
static long (*adjust_room)(void *skb, __s32 octets, __u32 mode, __u64 flags) = (void *)BPF_FUNC_skb_adjust_room;
static long (*change_head)(void *skb, __u32 octets, __u64 flags) = (void *)BPF_FUNC_skb_change_head;
static long (*fib_lookup)(void *skb, void *params, int size, __u32 flags) = (void *)BPF_FUNC_fib_lookup;
static long (*redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;
static long (*redirect_neigh)(__u32 ifindex, void *next, int size, __u64 flags) = (void *)BPF_FUNC_redirect_neigh;

enum {
	TCP = 6, UDP = 17, TUNNELLED = 41, ICMPV6 = 58,
	SOLICITATION = 146, ADVERTISEMENT = 147,	/* of prefixes, types of ICMPv6 */
	HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, ESP = 50, AH = 51, DESTINATION_OPTIONS = 60, MOBILITY = 135,
	ADDED = 24,			/* octets of a Home Address option and its header, or a type 2 routing header */
	HOP_LIMIT = 64,
	INET6 = 10,
};

struct tunnel { struct in6_addr local, remote; };
struct path { struct in6_addr care_of; __u32 used, mtu; };
struct ends { struct in6_addr source, destination; };
/* A type 2 routing header, or a Destination Options header with nothing but a Home Address option (§6.3, §6.4). */
struct header { __u8 next, octets[7]; struct in6_addr home; };

/* What is written before a packet: a link layer, a header of IPv6, and of `added` as many as are needed. */
struct start {
	__u16 unused;			/* so that all else is aligned */
	struct ethhdr link;
	struct ipv6hdr ip;
	struct header added[2];
};

struct map { __u32 kind, key, value, entries, flags; };
#define MAP(name, kind, key, value, ...) struct map name SEC("maps") = {kind, sizeof(key), sizeof(value), __VA_ARGS__}
#define HASH(name, key, value, entries) MAP(name, BPF_MAP_TYPE_HASH, key, value, entries, BPF_F_NO_PREALLOC)

HASH(towards, struct in6_addr, struct tunnel, 100000);		/* a home agent's tunnels, by home address */
HASH(backwards, struct in6_addr, struct tunnel, 100000);	/* a mobile node's, by home address */
HASH(bindings, struct in6_addr, struct path, 100000);		/* a correspondent's, by home address */
HASH(routes, struct ends, struct path, 100000);			/* a mobile node's, by home address and peer */
HASH(heard, struct ends, __u8, 1024);				/* home address and peer that are known to talk */
MAP(counts, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, 6, 0);
MAP(device, BPF_MAP_TYPE_ARRAY, __u32, __u32, 1, 0);		/* index of the tunnel device */

enum { TUNNELLED_OUT, DETUNNELLED, DIRECT_OUT, DIRECT_IN, NOT_SENT, NOT_DELIVERED };	/* in this order in `counts` */

INLINE int same(const struct in6_addr *a, const struct in6_addr *b)
{
	return a->s6_addr32[0] == b->s6_addr32[0] && a->s6_addr32[1] == b->s6_addr32[1] &&
	       a->s6_addr32[2] == b->s6_addr32[2] && a->s6_addr32[3] == b->s6_addr32[3];
}

/* Where IPsec protects what a tunnel carries, that is done in Python, and the tunnel has no ends here. */
INLINE int is_sealed(const struct tunnel *tunnel)
{
	const __u32 *words = tunnel->remote.s6_addr32;

	return !(words[0] | words[1] | words[2] | words[3]);
}

INLINE void count(__u32 what)
{
	__u64 *packets = lookup(&counts, &what);

	if (packets)
		++*packets;
}

/* No memory was left halfway: the packet is neither what it was nor what it should be. */
INLINE int drop(__u32 why)
{
	count(why);
	return TC_ACT_SHOT;
}

INLINE void note_use(struct path *path)
{
	if (path && !path->used)	/* other processors read it too */
		path->used = 1;
}

/* Whether upper layers follow, as opposed to headers that must be looked at by somebody who knows more of them. */
INLINE int is_plain(__u8 kind)
{
	return kind != HOP_BY_HOP && kind != ROUTING && kind != FRAGMENT && kind != ESP && kind != AH &&
	       kind != DESTINATION_OPTIONS && kind != MOBILITY;
}

INLINE int is_unicast_beyond_link(const struct in6_addr *address)
{
	return address->s6_addr[0] < 0xfe;
}

/* Only what goes through the tunnel for the first time is news (§11.3.3): it is told in Python. */
INLINE int is_news(struct in6_addr *home, struct in6_addr *peer)
{
	struct ends ends = {*home, *peer};

	return !lookup(&heard, &ends) && !lookup(&routes, &ends);
}

/* Octets of the largest packet that this one will be on the wire; 0 if that cannot be told. */
INLINE __u32 largest(struct __sk_buff *skb, __u8 kind)
{
	__u8 offset = 0;

	if (!skb->gso_size)
		return skb->len;
	if (kind == UDP)
		return sizeof(struct ipv6hdr) + 8 + skb->gso_size;
	if (kind != TCP || load(skb, sizeof(struct ipv6hdr) + 12, &offset, 1))
		return 0;
	return sizeof(struct ipv6hdr) + (offset >> 4) * 4 + skb->gso_size;
}

/* Find the way out of a packet between two addresses; whether there is one, wide enough, to a known neighbour. One
 * that must be asked for first is not for programs: packets that wait for it are sent by the route they came by. */
INLINE int find_way(struct __sk_buff *skb, struct ends *ends, __u32 octets, struct bpf_fib_lookup *way)
{
	__u32 from = skb->ifindex;

	way->family = INET6;
	way->tot_len = octets;
	way->ifindex = from;	/* not "lo": the rule that leads into the tunnel device does not hold */
	__builtin_memcpy(way->ipv6_src, &ends->source, sizeof(ends->source));
	__builtin_memcpy(way->ipv6_dst, &ends->destination, sizeof(ends->destination));
	return fib_lookup(skb, way, sizeof(*way), 0) == BPF_FIB_LKUP_RET_SUCCESS && way->ifindex != from;
}

/* Give a packet from the tunnel device, which has no link layer, to another one; `added` headers are behind IPv6's. */
INLINE int send(struct __sk_buff *skb, struct start *start, __u32 added, struct bpf_fib_lookup *way, __u32 what)
{
	struct bpf_redir_neigh next = {.nh_family = INET6};

	start->link.h_proto = htons(ETH_P_IPV6);
	if (change_head(skb, ETH_HLEN, 0) ||
	    store(skb, 0, &start->link, sizeof(start->link) + sizeof(start->ip) + added * ADDED, 0))
		return drop(NOT_SENT);
	__builtin_memcpy(next.ipv6_nh, way->ipv6_dst, sizeof(next.ipv6_nh));
	count(what);
	return redirect_neigh(way->ifindex, &next, sizeof(next), 0);
}

/* §10.4.2, §11.3.1: the outer header. */
INLINE int tunnel_out(struct __sk_buff *skb, struct ipv6hdr *ip, struct tunnel *tunnel)
{
	struct start start = {.ip = {.version = 6, .nexthdr = TUNNELLED, .hop_limit = HOP_LIMIT}};
	struct ends ends = {tunnel->local, tunnel->remote};
	struct bpf_fib_lookup way = {};
	__u32 octets = largest(skb, ip->nexthdr);
	long failed;

	start.ip.payload_len = htons(ntohs(ip->payload_len) + sizeof(*ip));
	start.ip.saddr = ends.source;
	start.ip.daddr = ends.destination;
	if (!octets || lookup(&bindings, &ends.destination) || !find_way(skb, &ends, octets + sizeof(*ip), &way))
		return TC_ACT_UNSPEC;
	failed = adjust_room(skb, sizeof(*ip), BPF_ADJ_ROOM_MAC,
			     BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6);
	if (failed == -EALREADY)	/* what tunnel_in let out is still noted as an inner packet, rightly again */
		failed = adjust_room(skb, sizeof(*ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
	if (failed)
		return TC_ACT_UNSPEC;
	return send(skb, &start, 0, &way, TUNNELLED_OUT);
}

/* §9.3.2, §11.3.1: a type 2 routing header, a Home Address option, or both in this order. */
INLINE int optimise(struct __sk_buff *skb, struct ipv6hdr *ip, struct path *route, struct path *binding)
{
	struct header routing = {ip->nexthdr, {2, 2, 1}, ip->daddr};
	struct header option = {ip->nexthdr, {2, 1, 2, 0, 0, 0xc9, 16}, ip->saddr};
	struct ends ends = {ip->saddr, ip->daddr};
	struct start start = {.ip = *ip};
	struct bpf_fib_lookup way = {};
	__u32 octets = largest(skb, ip->nexthdr), added = 0;

	if (!octets)
		return TC_ACT_UNSPEC;
	if (route) {
		ends.source = route->care_of;
		start.ip.nexthdr = routing.next = DESTINATION_OPTIONS;
		start.added[0] = option;
		added = 1;
	}
	if (binding) {
		ends.destination = binding->care_of;
		start.ip.nexthdr = ROUTING;
		start.added[0] = routing;
		if (added)
			start.added[1] = option;
		++added;
	}
	octets += added * ADDED;
	if ((route && octets > route->mtu) || (binding && octets > binding->mtu) || !find_way(skb, &ends, octets, &way))
		return TC_ACT_UNSPEC;
	if (adjust_room(skb, added * ADDED, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_UNSPEC;
	start.ip.payload_len = htons(ntohs(ip->payload_len) + added * ADDED);
	start.ip.saddr = ends.source;
	start.ip.daddr = ends.destination;
	note_use(route);
	note_use(binding);
	return send(skb, &start, added, &way, DIRECT_OUT);
}

/* On the tunnel device: what the kernel routes into it. */
SEC("tcx/egress") int outwards(struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	struct ends ends;
	struct path *route, *binding;
	struct tunnel *tunnel = 0;

	if (skb->protocol != htons(ETH_P_IPV6) || load(skb, 0, &ip, sizeof(ip)) || !is_unicast_beyond_link(&ip.daddr))
		return TC_ACT_UNSPEC;
	if (!ip.payload_len || ntohs(ip.payload_len) + 2 * ADDED > 0xffff)
		return TC_ACT_UNSPEC;	/* a jumbogram, or one that has no room for more */
	if (!is_plain(ip.nexthdr) && ip.nexthdr != FRAGMENT)
		return TC_ACT_UNSPEC;
	ends.source = ip.saddr;
	ends.destination = ip.daddr;
	route = lookup(&routes, &ends);
	binding = lookup(&bindings, &ip.daddr);
	if (!route)
		tunnel = lookup(&towards, &ip.daddr);
	if (!route && !tunnel) {
		tunnel = lookup(&backwards, &ip.saddr);
		if (tunnel && is_news(&ip.saddr, &ip.daddr))
			return TC_ACT_UNSPEC;
	}
	if (route || (binding && !tunnel))
		return ip.nexthdr == FRAGMENT ? TC_ACT_UNSPEC : optimise(skb, &ip, route, binding);
	if (tunnel && !is_sealed(tunnel) && !binding && ip.nexthdr != TUNNELLED)	/* how deep tunnels lie in tunnels others look after */
		return tunnel_out(skb, &ip, tunnel);
	return TC_ACT_UNSPEC;
}

/* Let a packet arrive on the tunnel device. */
INLINE int deliver(__u32 what)
{
	__u32 zero = 0, *index = lookup(&device, &zero);

	if (!index)
		return drop(NOT_DELIVERED);
	count(what);
	return redirect(*index, BPF_F_INGRESS);
}

/* §10.4.5, §5.5: out of a tunnel comes only what the other end put into it. */
INLINE int tunnel_in(struct __sk_buff *skb, struct ipv6hdr *ip)
{
	struct ipv6hdr inner;
	struct tunnel *tunnel;

	if (load(skb, ETH_HLEN + sizeof(*ip), &inner, sizeof(inner)) || inner.version != 6)
		return TC_ACT_UNSPEC;
	if (!is_unicast_beyond_link(&inner.daddr) || (!is_plain(inner.nexthdr) && inner.nexthdr != FRAGMENT))
		return TC_ACT_UNSPEC;
	tunnel = lookup(&towards, &inner.saddr);
	if (!tunnel) {
		tunnel = lookup(&backwards, &inner.daddr);
		if (!tunnel || is_news(&inner.daddr, &inner.saddr))
			return TC_ACT_UNSPEC;
	}
	if (is_sealed(tunnel) || !same(&tunnel->remote, &ip->saddr) || !same(&tunnel->local, &ip->daddr))
		return TC_ACT_UNSPEC;
	if (adjust_room(skb, -(__s32)sizeof(*ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_UNSPEC;
	return deliver(DETUNNELLED);
}

/* Whether the kernel would not send a packet on to its destination, which is this node's own. */
INLINE int is_own(struct __sk_buff *skb, struct ipv6hdr *ip)
{
	struct bpf_fib_lookup way = {.family = INET6};
	__u32 zero = 0, *index = lookup(&device, &zero);

	if (!index)
		return 0;
	way.ifindex = *index;
	__builtin_memcpy(way.ipv6_src, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(way.ipv6_dst, &ip->daddr, sizeof(ip->daddr));
	return fib_lookup(skb, &way, sizeof(way), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

INLINE int is_home_address_option(struct header *header)
{
	__u8 *octets = header->octets;

	return octets[0] == 2 && octets[1] == 1 && octets[2] == 2 && !octets[3] && !octets[4] && octets[5] == 0xc9 &&
	       octets[6] == 16;
}

/* §6.7, §6.8: whoever takes them must see the headers that would be taken off (lab/wire/chain.py has the same). */
INLINE int is_prefix_discovery(struct __sk_buff *skb, __u32 at)
{
	__u8 type = 0;

	return load(skb, at, &type, sizeof(type)) || type == SOLICITATION || type == ADVERTISEMENT;
}

/* §6.4, §9.3.1: what a binding explains becomes a packet between home addresses. */
INLINE int restore(struct __sk_buff *skb, struct ipv6hdr *ip)
{
	struct path *binding;
	struct tunnel *tunnel;
	struct header header;
	struct ends ends = {ip->daddr, ip->saddr};	/* this node's first */
	__u32 removed = 0;

	if (ip->nexthdr == ROUTING) {
		if (load(skb, ETH_HLEN + sizeof(*ip), &header, sizeof(header)))
			return TC_ACT_UNSPEC;
		if (header.octets[0] != 2 || header.octets[1] != 2 || header.octets[2] != 1)
			return TC_ACT_UNSPEC;
		tunnel = lookup(&backwards, &header.home);
		if (!tunnel || is_sealed(tunnel) || !same(&tunnel->local, &ip->daddr))
			return TC_ACT_UNSPEC;
		ends.source = header.home;
		ip->nexthdr = header.next;
		removed += ADDED;
	}
	if (ip->nexthdr == DESTINATION_OPTIONS) {
		if (load(skb, ETH_HLEN + sizeof(*ip) + removed, &header, sizeof(header)) ||
		    !is_home_address_option(&header))
			return TC_ACT_UNSPEC;
		binding = lookup(&bindings, &header.home);
		if (!binding || !same(&binding->care_of, &ip->saddr)) {
			tunnel = lookup(&towards, &header.home);
			if (!tunnel || is_sealed(tunnel) || !same(&tunnel->remote, &ip->saddr))
				return TC_ACT_UNSPEC;
		}
		if (!removed && !is_own(skb, ip))
			return TC_ACT_UNSPEC;
		ends.destination = header.home;
		ip->nexthdr = header.next;
		removed += ADDED;
	}
	if (!is_plain(ip->nexthdr) || ntohs(ip->payload_len) < removed)
		return TC_ACT_UNSPEC;
	if (ip->nexthdr == ICMPV6 && is_prefix_discovery(skb, ETH_HLEN + sizeof(*ip) + removed))
		return TC_ACT_UNSPEC;
	if (adjust_room(skb, -(__s32)removed, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_UNSPEC;
	note_use(lookup(&routes, &ends));
	note_use(lookup(&bindings, &ends.destination));
	ip->payload_len = htons(ntohs(ip->payload_len) - removed);
	ip->saddr = ends.destination;
	ip->daddr = ends.source;
	if (store(skb, ETH_HLEN, ip, sizeof(*ip), BPF_F_RECOMPUTE_CSUM))
		return drop(NOT_DELIVERED);
	return deliver(DIRECT_IN);
}

/* On every Ethernet: what arrives for this node. */
SEC("tcx/ingress") int inwards(struct __sk_buff *skb)
{
	struct ipv6hdr ip;

	if (skb->protocol != htons(ETH_P_IPV6) || skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (load(skb, ETH_HLEN, &ip, sizeof(ip)) || ntohs(ip.payload_len) + ETH_HLEN + sizeof(ip) != skb->len)
		return TC_ACT_UNSPEC;	/* nor what is shorter than its frame: the kernel knows what to cut off */
	if (ip.nexthdr == TUNNELLED)
		return tunnel_in(skb, &ip);
	if (ip.nexthdr == ROUTING || ip.nexthdr == DESTINATION_OPTIONS)
		return restore(skb, &ip);
	return TC_ACT_UNSPEC;
}

char licence[] SEC("license") = "Dual MIT/GPL";	/* bpf_fib_lookup asks for it */
/* SHA-256 of this file, and who compiled it: whether the object is up to date. */
char source[] SEC("sha256") = SHA256;
char compiled_by[] SEC("compiler") = __VERSION__;
