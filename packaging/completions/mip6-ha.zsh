#compdef mip6-ha
_mip6_ha() {
  local -a commands nodes global
  local curcontext=$curcontext state line
  nodes=(/etc/mip6-ha/nodes.d/*.conf(N:t:r))
  global=('--socket[control socket]:file:_files' '--json[the same as JSON]')
  commands=(
    'status:the home agent, its counters and its nodes'
    'list:the nodes with home address, care-of address, lifetime and sequence number'
    'show:all of one node'
    'events:what happened lately'
    'doctor:what is wrong with the machine, and what to do about it'
    'reload:read the configuration again'
    'ban:refuse a node from now on'
    'unban:serve it again'
    'export:a backup of what it keeps on disk'
    'import:back to such a backup'
    'init:write a configuration and check the machine'
    'add:give a node address and secret'
    'remove:serve a node no longer'
    'rotate:give a node a new key; the old one is dead'
    'help:what --help says'
  )
  _arguments -C $global '--config[configuration]:file:_files' '--check[only check the configuration]' \
    '--keys-are-new[take the manual keys of a node as never used]:node:($nodes)' '--version[the version]' '--help[a summary]' \
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
        ban) _arguments $global '--why[reason]:reason:' '1:node:($nodes)' ;;
        show | unban) _arguments $global '1:node:($nodes)' ;;
        doctor) _arguments $global '--config[configuration]:file:_files' ;;
        export | import) _arguments $global '--config[configuration]:file:_files' '1:backup:_files' ;;
        init) _arguments '--json' '--config:file:_files' '--prefix[of the home link]:prefix:' \
          '--interface[of the home link]:interface:(/sys/class/net/*(N:t))' '--address[our own]:address:' \
          '--force[replace a configuration that is there]' '--mend[switch forwarding on and bound charon]' ;;
        add) _arguments '--json' '--config:file:_files' '--address[of the node]:address:' '--psk[by a secret]' \
          '--certificate[by a certificate]' '--manual[keys set by hand]' '--identity[name in IKE]:identity:' \
          '--out[archive for the node]:file:_files' '--from[many nodes]:table:_files' '1:name:' ;;
        help) _describe command commands ;;
        remove) _arguments '--json' '--config:file:_files' '1:node:($nodes)' ;;
        rotate) _arguments '--json' '--config:file:_files' '--out[archive for the node]:file:_files' '1:node:($nodes)' ;;
        *) _arguments $global ;;
      esac
      ;;
  esac
}
_mip6_ha "$@"
