#compdef mip6ctl
# made by: mip6ctl completion zsh
_mip6ctl() {
  local -a commands global
  local curcontext=$curcontext state line
  global=('--socket[control socket]:file:_files' '--json[the same as JSON]' '--help[a summary]' '--version[the version]')
  commands=(
    'status:where the home address is registered, and what is wrong if it is not'
    'watch:status, shown again at each change'
    'events:what happened lately; --follow goes on with what happens'
    'links:the addresses that there are, which one is used, and why not the others'
    'keying:how keys are agreed, and the SAs that there are'
    'sequence:how many sequence numbers the keys have seen, and how long the rest lasts'
    'trace:what the last moves took, step by step'
    'doctor:what could be better, and what to do about it'
    'refresh:register with the home agent again, now'
    'home:de-register, and stay so until resume'
    'pause:stay on the present link until resume'
    'resume:go on after home or pause'
    'reload:read the configuration again, while the registration goes on'
    'restart:start mnd again, the registration going on, as after an upgrade'
    'config:check the configuration, or show what is in effect'
    'report:all of that and the machine'\''s versions, for a bug report'
    'network:for hooks: what becomes of a link'
    'completion:a script for completion by a shell'
    'version:of mip6ctl and of the mnd that runs'
    'help:what --help says, of all or of a command'
  )
  _arguments -C $global '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
        events) _arguments $global '--follow' '--since[from then on]:time:' ;;
        doctor) _arguments $global '--config[configuration of mnd]:file:_files' ;;
        config) _arguments $global '--config[configuration of mnd]:file:_files' '1:what:(check show)' ;;
        report) _arguments $global '--config[configuration of mnd]:file:_files' ;;
        network) _arguments $global '1:what:(pre-down up down vpn-up connectivity-change)' ;;
        completion) _arguments $global '1:what:(bash zsh fish)' ;;
        *) _arguments $global ;;
      esac
      ;;
  esac
}
_mip6ctl "$@"
