mip6ctl doctor
