"""Connects through libpq with the options that the arguments name, and says as whom and how."""

import os
import sys

import psycopg

options = dict(argument.split("=", 1) for argument in sys.argv[1:])
try:
    with psycopg.connect(os.environ["DATABASE_URL"], **options) as connection:
        user = connection.execute("SELECT current_user").fetchone()[0]
        print(user, "encrypted" if connection.pgconn.ssl_in_use else "plain")
except psycopg.OperationalError as error:
    print("refused:", " ".join(str(error).split()))
