import sys

from dslm_studio.launch.cli import main

sys.exit(main(sys.argv[1:]))
