#!/bin/bash
# The lab's network, made inside the lab's kernel. One argument: on or off, duplicate address detection on the access
# links.
#
#   mn  -w1- ar1 -wan- core      mn: the node (w1 preferred); mn2: a second node that never moves, on a link of its own
#   mn  -w2- ar2 -wan- core      ar1, ar2: access routers with router advertisements; core: the router between all
#   mn2 -w1- ar1                 ha: home agent; hl: the switch of the home link with ha (home), hh (eth0), mn (wh)
#   mn  -wh- hl  -home- ha -wan- core      cn: the correspondent
set -eu
dad=${1:-off}

namespaces=(mn mn2 ar1 ar2 core ha hl hh cn)
declare -A settings commands # of a namespace: for sysctl, for ip
links=

# A process costs user-mode Linux tens of milliseconds: what ip is to do in a namespace is done by one.
# within NAMESPACE COMMAND...
within() { commands[$1]+="${*:2}"$'\n'; }

# link NAMESPACE INTERFACE NAMESPACE INTERFACE
link() {
  links+="link add $2 netns $1 type veth peer name $4 netns $3"$'\n'
  within "$1" link set "$2" up
  within "$3" link set "$4" up
}

# advertise NAMESPACE INTERFACE PREFIX [home]: router advertisements by radvd
advertise() {
  local file=/run/radvd.$1.$2.conf agent=
  [ "${4:-}" != home ] ||
    agent='AdvHomeAgentFlag on; AdvHomeAgentInfo on; HomeAgentLifetime 1800; HomeAgentPreference 10;'
  cat >"$file" <<EOT
interface $2 {
  AdvSendAdvert on; IgnoreIfMissing on;
  MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6; MinDelayBetweenRAs 0.03; AdvDefaultLifetime 1800;
  $agent
  prefix $3 { AdvOnLink on; AdvAutonomous on; AdvRouterAddr on; };
};
EOT
  chmod 600 "$file"
  ip netns exec "$1" radvd -C "$file" -m logfile -l "/run/radvd.$1.$2.log" -p "/run/radvd.$1.$2.pid"
}

for namespace in "${namespaces[@]}"; do
  settings[$namespace]='net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    net.ipv6.conf.all.dad_transmits=0 net.ipv6.conf.default.dad_transmits=0'
  within $namespace link set lo up
done
[ "$dad" != on ] || settings[mn]=${settings[mn]//=0/=1}
for namespace in ar1 ar2 core ha; do settings[$namespace]+=' net.ipv6.conf.all.forwarding=1'; done

i=1
for namespace in ar1 ar2 ha cn; do
  link $namespace wan core r$i
  within core addr add 2001:db8:f$i::1/64 dev r$i nodad
  within $namespace addr add 2001:db8:f$i::2/64 dev wan nodad
  within $namespace route add default via 2001:db8:f$i::1
  i=$((i + 1))
done
within core route add 2001:db8:a1::/64 via 2001:db8:f1::2
within core route add 2001:db8:a3::/64 via 2001:db8:f1::2
within core route add 2001:db8:a2::/64 via 2001:db8:f2::2
within core route add 2001:db8:1::/64 via 2001:db8:f3::2

within hl link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
within hl link set br0 up
link ha home hl ha
link hh eth0 hl hh
link mn wh hl mn
within mn link set wh down
for port in ha hh mn; do within hl link set $port master br0; done
within ha addr add 2001:db8:1::1/64 dev home nodad

link mn w1 ar1 acc
link mn2 w1 ar1 acc2
link mn w2 ar2 acc
within ar1 addr add 2001:db8:a1::1/64 dev acc nodad
within ar1 addr add 2001:db8:a3::1/64 dev acc2 nodad
within ar2 addr add 2001:db8:a2::1/64 dev acc nodad

# Seen from here: every netlink message in the node's namespace, with the kernel's time.
within mn link add nl type nlmon
within mn link set nl up

printf 'netns add %s\n' "${namespaces[@]}" | ip -batch -
for namespace in "${namespaces[@]}"; do
  # shellcheck disable=SC2086 # words
  nsenter --net=/run/netns/$namespace sysctl -qw ${settings[$namespace]}
done
ip -batch - <<<"$links"
for namespace in "${namespaces[@]}"; do ip -n "$namespace" -batch - <<<"${commands[$namespace]}"; done

advertise ar1 acc 2001:db8:a1::/64
advertise ar1 acc2 2001:db8:a3::/64
advertise ar2 acc 2001:db8:a2::/64
advertise ha home 2001:db8:1::/64 home
