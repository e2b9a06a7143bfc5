"""A load test of the demo services: `loadgate run --locustfile examples/demo-services/locustfile.py --host http://127.0.0.1:8000`."""

from locust import HttpUser, constant, tag, task


class Client(HttpUser):
    """Asks the services in turn, at random."""

    wait_time = constant(0.02)

    @tag("api_gateway")
    @task
    def api_gateway(self):
        self.client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hello"}]})
        self.client.get("/v1/models")
        self.client.get("/health")

    @tag("rag_service")
    @task
    def rag_service(self):
        self.client.post("/query", json={"query": "where is everybody?"})
        self.client.post("/index", json={"document": "nobody home"})

    @tag("mcp_server")
    @task
    def mcp_server(self):
        self.client.post("/execute", json={"tool": "echo", "arguments": {}})
