from wavegan_rc.cli.commands import run_script

if __name__ == "__main__":
    run_script("sweep")
