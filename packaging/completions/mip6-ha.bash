# bash completion for mip6-ha
_mip6_ha() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word command=
  local nodes=/etc/mip6-ha/nodes.d
  local commands="status list show events doctor reload ban unban export import init add remove rotate help"
  COMPREPLY=()
  if [ "${COMP_WORDS[1]}" = help ]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    return
  fi
  case $previous in
    --socket | --config | --out | --from | import | export)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --interface)
      mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$current")
      return
      ;;
    --prefix | --address | --identity) return ;;
    show | ban | unban | remove | rotate | --keys-are-new)
      mapfile -t COMPREPLY < <(compgen -W "$(cd "$nodes" 2>/dev/null && ls ./*.conf | sed 's,^\./,,; s,\.conf$,,')" \
        -- "$current")
      return
      ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      status | list | show | events | doctor | reload | ban | unban | export | import | init | add | remove | rotate | help)
        command=$word
        ;;
    esac
  done
  local options
  case $command in
    '') options="$commands --config --check --keys-are-new --socket --json --version --help" ;;
    ban) options="--why --socket --json" ;;
    status | list | show | events | reload | unban | export) options="--socket --json" ;;
    doctor | import) options="--socket --json --config" ;;
    init) options="--prefix --interface --address --force --mend --config --json" ;;
    add) options="--address --psk --certificate --manual --identity --out --from --config --json" ;;
    remove) options="--config --json" ;;
    rotate) options="--out --config --json" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _mip6_ha mip6-ha
