using System.Security.Cryptography;
using System.Text;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Data;

/// <summary>Samples as files of images, in a folder and those below it.</summary>
internal static class ImageFolder
{
    /// <summary>Key of the label, for those who ask by no other name.</summary>
    public const string Label = "label";

    private const int MostFiles = 1_000_000;

    public static IEnumerable<Sample> Read(string folder, string displayName, WantedValues wanted, DataFormat format) => Each(folder, displayName, wanted, format).Select(read => read());

    /// <summary>The same, each image to be read when it is asked for: they are many, and large.</summary>
    public static IEnumerable<Func<Sample>> Each(string folder, string displayName, WantedValues wanted, DataFormat format)
    {
        var input = new ImageInput(wanted.Inputs, format.Images ?? ImagePolicy.Default, displayName);
        IReadOnlyList<string> images = Files(folder);
        ImageLabels? labels = LabelsOf(folder, images, format);
        string[] keys = [.. wanted.Names.Where(name => name != input.Name)];
        foreach (string image in images)
            yield return () => SampleOf(image);

        Sample SampleOf(string image)
        {
            var place = new Place($"{displayName}/{image}");
            var values = new Dictionary<string, Tensor> { [input.Name] = input.Read(Path.Combine(folder, image), place) };
            if (keys.Length > 0 && labels?.Find(image) is long label)
            {
                foreach (string key in keys)
                    values[key] = Tensor.Of<long>([label], 1);
            }

            return wanted.Sample(place.File!, values, values.Keys, place);
        }
    }

    /// <summary>Whether labels are known without a policy that names them.</summary>
    public static bool HasLabels(string folder, DataFormat format) => LabelsOf(folder, Files(folder), format) is not null;

    /// <summary>
    /// Paths of the images below the folder, with slashes, in an order that looks random but follows from the paths alone: sorted, classes would come one
    /// after another, and the first samples would be all of one. Links are not followed.
    /// </summary>
    public static IReadOnlyList<string> Files(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden | FileAttributes.System };
        return [.. Directory.EnumerateFiles(folder, "*", options)
            .Where(file => Image.Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()))
            .Take(MostFiles)
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
            .OrderBy(file => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(file))), StringComparer.Ordinal)];
    }

    private static ImageLabels? LabelsOf(string folder, IReadOnlyList<string> images, DataFormat format) => ImageLabels.Of(
        Path.GetFullPath(folder),
        images,
        format.Images?.Labels is string file ? Path.GetFullPath(file, format.Folder) : null,
        format.Images?.Labels,
        format.Classes is null ? null : ImageLabels.ClassesOf(Files(format.Classes)));
}
