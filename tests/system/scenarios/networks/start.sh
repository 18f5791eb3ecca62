cp /usr/share/doc/mnd/examples/strongswan-mnd.conf /etc/strongswan.d/mnd.conf
systemctl enable --now strongswan mnd
