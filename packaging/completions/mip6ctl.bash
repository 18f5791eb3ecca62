# bash completion for mip6ctl; made by: mip6ctl completion bash
_mip6ctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word words command=
  local global="--socket --json --help --version"
  COMPREPLY=()
  case $previous in
    --socket | --config)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --since) return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      status | watch | events | links | keying | sequence | trace | doctor | refresh | home | pause | resume | reload | restart | config | report | network | completion | version | help) command=$word ;;
    esac
  done
  case $command in
    '') words="status watch events links keying sequence trace doctor refresh home pause resume reload restart config report network completion version help $global" ;;
    events) words="--follow --since $global" ;;
    doctor) words="--config $global" ;;
    config) words="check show --config $global" ;;
    report) words="--config $global" ;;
    network) words="pre-down up down vpn-up connectivity-change $global" ;;
    completion) words="bash zsh fish $global" ;;
    *) words=$global ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _mip6ctl mip6ctl
