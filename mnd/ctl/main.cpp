// mip6ctl: shows and steers the mobile node daemon.
#include "mnd/ctl/commands.hpp"

int main(int argc, char* argv[]) { return mip6ctl::run(argc, argv); }
