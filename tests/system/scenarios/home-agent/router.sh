mip6-ha init --prefix 2001:db8:1::/64 --interface eth1 --mend
systemctl enable --now strongswan mip6-ha
mip6-ha add laptop --address 2001:db8:1::42 --out laptop.tar
mip6-ha doctor
