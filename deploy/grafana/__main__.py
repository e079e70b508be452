"""Write each dashboard's JSON beside this file."""

from pathlib import Path

from deploy.grafana.render import rendered

if __name__ == "__main__":
    for name, text in rendered().items():
        Path(__file__).with_name(name).write_text(text)
