cp /usr/share/doc/mnd/examples/strongswan-mnd.conf /etc/strongswan.d/mnd.conf
systemctl enable strongswan mnd
systemctl restart strongswan mnd
