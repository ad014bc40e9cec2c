using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>An image of a container, from a base image of nothing that a registry on this machine has, into an archive: no daemon, no network.</summary>
public sealed class ContainerTests
{
    private const string BaseImage = "nothing";

    [Fact]
    public void The_model_lies_beside_the_app_in_the_image()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject(framework: "<TargetFramework>net10.0</TargetFramework><UseAppHost>false</UseAppHost>");
        using HttpListener registry = StartRegistry(out int port);
        app.Succeed("publish", "-t:PublishContainer", $"-p:ContainerBaseImage=localhost:{port}/{BaseImage}:1", $"-p:ContainerArchiveOutputPath={app["image.tar"]}");

        string[] files = [.. Layers(app["image.tar"]).SelectMany(FilesOf)];
        Assert.Equal(["App.dll", "model.mixed.onnx", "model.mixed.precision.json"], files.Where(file => file is "App.dll" || file.Contains("model", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(1, app.Runs());
    }

    private static HttpListener StartRegistry(out int port)
    {
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }

        string architecture = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";
        string config = $$$"""{"architecture":"{{{architecture}}}","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]},"history":[]}""";
        string digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(config)));
        const string Type = "application/vnd.docker.distribution.manifest.v2+json";
        string manifest = $$$"""
            {"schemaVersion":2,"mediaType":"{{{Type}}}","layers":[],"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":{{{config.Length}}},"digest":"{{{digest}}}"}}
            """;
        var listener = new HttpListener();
        listener.Prefixes.Add($"http://localhost:{port}/");
        listener.Start();
        listener.BeginGetContext(Answer, null);
        return listener;

        void Answer(IAsyncResult result)
        {
            try
            {
                HttpListenerContext context = listener.EndGetContext(result);
                listener.BeginGetContext(Answer, null);
                string path = context.Request.Url!.AbsolutePath;
                string? text = path.StartsWith($"/v2/{BaseImage}/manifests/", StringComparison.Ordinal) ? manifest : path == $"/v2/{BaseImage}/blobs/{digest}" ? config : null;
                context.Response.StatusCode = text is null ? 404 : 200;
                context.Response.ContentType = text == manifest ? Type : "application/octet-stream";
                context.Response.Close(Encoding.UTF8.GetBytes(text ?? ""), willBlock: true);
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                // The test has ended, or the SDK has heard enough.
            }
        }
    }

    /// <summary>The layers of an archive, which are archives themselves.</summary>
    private static IEnumerable<byte[]> Layers(string archive)
    {
        using FileStream file = File.OpenRead(archive);
        using var reader = new TarReader(file);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.Name.EndsWith("layer.tar", StringComparison.Ordinal))
            {
                using var bytes = new MemoryStream();
                entry.DataStream!.CopyTo(bytes);
                yield return bytes.ToArray();
            }
        }
    }

    private static IEnumerable<string> FilesOf(byte[] layer)
    {
        using var reader = new TarReader(new GZipStream(new MemoryStream(layer), CompressionMode.Decompress));
        while (reader.GetNextEntry() is { } entry)
        {
            yield return Path.GetFileName(entry.Name);
        }
    }
}
